"""One part of the data: whole batches gathered from the cache's map, or from a copy of it on a GPU."""

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from agegender.data.pixels import Pixels
from agegender.data.sources.base import FaceTable

Batch = dict[str, Tensor]

_RESIDENT_SHARE = 0.5  # of a GPU's free memory that the decoded images may take; the rest is for the training
_CHUNK_BYTES = 256 * 2**20  # copied to the GPU at once


class FaceDataset(Dataset[Batch]):
    """One part of the data; a batch is gathered at once, without a step per image.

    A batch holds `images`, uint8 (B, 3, H, W), channels last in memory; `years`, `group`, `gender`, int64 (B,); and
    `row`, int64 (B,), the image's row in the table.

    Args:
        pixels: of the whole table, decoded on demand, memory-mapped, or a uint8 tensor (N, H, W, 3) on a device.
        table: all files.
        group_of_age: (A,) group of each age.
        rows: those of the part.
    """

    def __init__(self, pixels: Pixels | Tensor, table: FaceTable, group_of_age: np.ndarray, rows: np.ndarray) -> None:
        self._pixels = pixels
        self.device = device = pixels.device if isinstance(pixels, Tensor) else torch.device("cpu")
        self._columns = {
            "years": torch.from_numpy(table.ages[rows]).to(device),
            "group": torch.from_numpy(group_of_age[table.ages[rows]]).to(device),
            "gender": torch.from_numpy(table.genders[rows]).to(device),
            "row": torch.from_numpy(rows).to(device),
        }

    def __len__(self) -> int:
        return len(self._columns["row"])

    def __getitem__(self, index: int) -> Batch:
        return {key: value[0] for key, value in self.__getitems__([index]).items()}

    def __getitems__(self, indices: list[int]) -> Batch:
        return self.gather(torch.tensor(indices))

    def gather(self, index: Tensor, *, pin: bool = False) -> Batch:
        """Give a batch.

        Args:
            index: int64 (B,), on the device of the pixels.
            pin: put it in page-locked memory, from which a copy to a GPU does not block.
        """
        batch = {key: column[index] for key, column in self._columns.items()}
        images = self._images(batch["row"], pin)  # uint8 (B, H, W, 3)
        if pin:
            batch = {key: value.pin_memory() for key, value in batch.items()}
        # uint8 until it is on the device: a quarter of the transfer
        return {"images": images.permute(0, 3, 1, 2), **batch}

    def _images(self, rows: Tensor, pin: bool) -> Tensor:
        if isinstance(self._pixels, Tensor):
            return self._pixels.index_select(0, rows)
        if isinstance(self._pixels, np.ndarray):  # one gather from the map into the batch, without Python's lock
            images = torch.empty((len(rows), *self._pixels.shape[1:]), dtype=torch.uint8, pin_memory=pin)
            np.take(self._pixels, rows.numpy(), axis=0, out=images.numpy(), mode="clip")  # "raise" would copy again
            return images
        images = torch.from_numpy(self._pixels[rows.numpy()])
        return images.pin_memory() if pin else images


def fits(pixels: np.ndarray, device: torch.device) -> bool:
    """Whether the decoded images may stay on a device: a GPU with room for twice as much."""
    return device.type == "cuda" and pixels.nbytes <= _RESIDENT_SHARE * torch.cuda.mem_get_info(device)[0]


def copy_to(pixels: np.ndarray, device: torch.device) -> Tensor:
    """Copy mapped images (N, H, W, 3) to a device, in pieces: the map's pages are not all held at once."""
    copy = torch.empty(pixels.shape, dtype=torch.uint8, device=device)
    step = max(1, _CHUNK_BYTES // max(1, pixels[:1].nbytes))
    for start in range(0, len(pixels), step):
        copy[start : start + step] = torch.from_numpy(np.array(pixels[start : start + step]))
    return copy
