"""One part of the data: whole batches, gathered from the memory-mapped cache or from a copy of it on a GPU."""

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from agegender.data.pixels import Pixels
from agegender.data.sources.base import FaceTable
from agegender.labels import MAX_AGE, NUM_YEARS, group_of_spans

Batch = dict[str, Tensor]

# Largest share of a GPU's free memory for the decoded images: half would leave DenseNet161 too little on 12 GB.
_RESIDENT_SHARE = 0.25
_CHUNK_BYTES = 256 * 2**20  # copied to the GPU at a time


class FaceDataset(Dataset[Batch]):
    """One part of the data; a batch is gathered in one operation, not image by image.

    A batch contains `images`, uint8 (B, 3, H, W), channels last in memory; `years`, `group`, `gender`, int64 (B,); and
    `row`, int64 (B,), the image's row in the table. If the table is incomplete, unknown labels are -1, and there is
    `span`, int64 (B, 2), the youngest and the oldest possible age.

    Args:
        pixels: of the whole table: decoded on demand, memory-mapped, or a uint8 tensor (N, H, W, 3) on a device.
        table: all files.
        group_of_age: (A,) group of each age.
        rows: the part's rows in the table.
        holds_part: whether `pixels` holds the images of these rows alone, in their order, instead of the whole table.
        midpoints: whether a range of ages counts as the age in its middle; else its years are unknown.
    """

    def __init__(
        self,
        pixels: Pixels | Tensor,
        table: FaceTable,
        group_of_age: np.ndarray,
        rows: np.ndarray,
        *,
        holds_part: bool = False,
        midpoints: bool = False,
    ) -> None:
        self._pixels = pixels
        self._holds_part = holds_part
        device = pixels.device if isinstance(pixels, Tensor) else torch.device("cpu")
        self.device = device
        columns = _columns(table, group_of_age, rows, midpoints=midpoints)
        self._columns = {key: torch.from_numpy(values).to(device) for key, values in columns.items()}

    def __len__(self) -> int:
        return len(self._columns["row"])

    def __getitem__(self, index: int) -> Batch:
        return {key: value[0] for key, value in self.__getitems__([index]).items()}

    def __getitems__(self, indices: list[int]) -> Batch:
        return self.gather(torch.tensor(indices))

    def gather(self, index: Tensor, *, pin: bool = False) -> Batch:
        """Return a batch.

        Args:
            index: int64 (B,), on the device of the pixels.
            pin: whether to put it in page-locked memory, from which a copy to a GPU does not block.
        """
        batch = {key: column[index] for key, column in self._columns.items()}
        images = self._images(index if self._holds_part else batch["row"], pin)  # uint8 (B, H, W, 3)
        if pin:
            batch = {key: value.pin_memory() for key, value in batch.items()}
        # uint8 until the batch is on the device: a quarter of the transfer
        return {"images": images.permute(0, 3, 1, 2), **batch}

    def _images(self, rows: Tensor, pin: bool) -> Tensor:
        if isinstance(self._pixels, Tensor):
            return self._pixels.index_select(0, rows)
        if isinstance(self._pixels, np.ndarray):  # one gather from the file into the batch, without the GIL
            images = torch.empty((len(rows), *self._pixels.shape[1:]), dtype=torch.uint8, pin_memory=pin)
            np.take(self._pixels, rows.numpy(), axis=0, out=images.numpy(), mode="clip")  # "raise" would buffer `out`
            return images
        images = torch.from_numpy(self._pixels[rows.numpy()])
        return images.pin_memory() if pin else images


def _columns(table: FaceTable, group_of_age: np.ndarray, rows: np.ndarray, *, midpoints: bool) -> dict[str, np.ndarray]:
    if table.is_complete:
        ages = table.ages[rows]
        return {"years": ages, "group": group_of_age[ages], "gender": table.genders[rows], "row": rows}
    first = table.ages[rows]
    last = table.last_ages[rows]
    return {
        "years": middle_ages(first, last) if midpoints else table.years[rows],
        "group": group_of_spans(group_of_age, first, last),
        "gender": table.genders[rows],
        "row": rows,
        "span": np.stack([first, last], axis=1),
    }


def middle_ages(first_ages: np.ndarray, last_ages: np.ndarray) -> np.ndarray:
    """Return the age in the middle of each range, rounded down, -1 if it is unknown; "60+" ends at 100 years."""
    last = np.where(last_ages == MAX_AGE, np.maximum(first_ages, NUM_YEARS - 1), last_ages)
    return np.where(first_ages >= 0, (first_ages + last) // 2, -1)


def fits(num_bytes: int, device: torch.device) -> bool:
    """Whether to keep decoded images of this size on a device: a GPU with free memory for four times as much."""
    return device.type == "cuda" and num_bytes <= _RESIDENT_SHARE * torch.cuda.mem_get_info(device)[0]


def copy_to(pixels: np.ndarray, device: torch.device, rows: np.ndarray | None = None) -> Tensor:
    """Copy memory-mapped images to a device, in pieces, so that not all pages are in memory at once.

    Args:
        pixels: uint8 (N, H, W, 3).
        device: where the copy is made.
        rows: of the images to copy, in this order; None: all.
    """
    num_images = len(pixels) if rows is None else len(rows)
    copy = torch.empty((num_images, *pixels.shape[1:]), dtype=torch.uint8, device=device)
    step = max(1, _CHUNK_BYTES // max(1, pixels[:1].nbytes))
    for start in range(0, num_images, step):
        piece = slice(start, start + step)
        copy[piece] = torch.from_numpy(np.array(pixels[piece if rows is None else rows[piece]]))
    return copy
