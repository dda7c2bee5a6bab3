"""Whole batches, gathered from each kind of storage of the pixels."""

from pathlib import Path

import numpy as np
import pytest
import torch
from making import MemorySource, encode, make_table
from PIL import Image

from agegender.data import dataset as dataset_module
from agegender.data.dataset import FaceDataset, copy_to, fits
from agegender.data.pixels import OnDemand, Pixels

NUM = 10
SIZE = 6
IMAGES = np.random.default_rng(0).integers(0, 256, (NUM, SIZE, SIZE, 3), dtype=np.uint8)
TABLE = make_table(ages=range(20, 30), genders=[0, 1] * 5)
GROUP_OF_AGE = np.arange(121) // 5  # 20 to 24: 4; 25 to 29: 5
PLACES = ("tensor", "map", "on demand")


def pixels_in(place: str, folder: Path) -> Pixels | torch.Tensor:
    """Return the same images in memory, in a memory-mapped file, or in image files that are decoded on demand."""
    if place == "tensor":
        return torch.from_numpy(IMAGES.copy())
    if place == "map":
        np.save(folder / "pixels.npy", IMAGES)
        return np.load(folder / "pixels.npy", mmap_mode="r")
    pictures = (encode(Image.fromarray(image), "PNG") for image in IMAGES)
    return OnDemand(MemorySource(dict(zip(TABLE.names, pictures, strict=True))), TABLE.names, SIZE)


@pytest.fixture(params=PLACES)
def faces(request: pytest.FixtureRequest, tmp_path: Path) -> FaceDataset:
    """Return rows 9, 2, 4 and 7 of the table."""
    return FaceDataset(pixels_in(request.param, tmp_path), TABLE, GROUP_OF_AGE, np.array([9, 2, 4, 7]))


def test_a_batch_has_the_images_and_labels_of_the_rows_that_were_asked_for(faces: FaceDataset) -> None:
    batch = faces.gather(torch.tensor([3, 0, 2]))  # rows 7, 9, 4
    np.testing.assert_array_equal(batch["images"].permute(0, 2, 3, 1).numpy(), IMAGES[[7, 9, 4]])
    assert batch["row"].tolist() == [7, 9, 4]
    assert batch["years"].tolist() == [27, 29, 24]
    assert batch["group"].tolist() == [5, 5, 4]
    assert batch["gender"].tolist() == [1, 1, 0]


def test_images_are_bytes_with_channels_last_in_memory(faces: FaceDataset) -> None:
    images = faces.gather(torch.tensor([1, 2]))["images"]
    assert (images.dtype, tuple(images.shape)) == (torch.uint8, (2, 3, SIZE, SIZE))
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_labels_and_rows_are_whole_numbers_of_64_bits(faces: FaceDataset) -> None:
    batch = faces.gather(torch.tensor([1]))
    assert {batch[key].dtype for key in ("years", "group", "gender", "row")} == {torch.int64}


def test_one_item_is_the_row_of_a_batch(faces: FaceDataset) -> None:
    batch = faces.gather(torch.tensor([2, 1]))
    item = faces[1]
    assert len(faces) == 4
    assert batch.keys() == item.keys()
    assert all(torch.equal(batch[key][1], item[key]) for key in batch)


def test_a_batch_may_be_written_to_without_changing_the_next_one(faces: FaceDataset) -> None:
    for value in faces.gather(torch.arange(4)).values():
        value.zero_()
    again = faces.gather(torch.arange(4))
    np.testing.assert_array_equal(again["images"].permute(0, 2, 3, 1).numpy(), IMAGES[[9, 2, 4, 7]])
    assert again["row"].tolist() == [9, 2, 4, 7]


@pytest.mark.gpu
def test_a_pinned_batch_is_the_same_batch(faces: FaceDataset) -> None:
    pinned, plain = (faces.gather(torch.tensor([3, 0]), pin=pin) for pin in (True, False))
    assert all(value.is_pinned() for value in pinned.values())
    assert all(torch.equal(pinned[key], plain[key]) for key in plain)


@pytest.mark.parametrize("chunk_bytes", [1, 3 * SIZE * SIZE * 3, 10**9])
def test_images_are_copied_whole_in_pieces_of_any_size(chunk_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset_module, "_CHUNK_BYTES", chunk_bytes)
    copy = copy_to(IMAGES, torch.device("cpu"))
    assert copy.dtype == torch.uint8
    np.testing.assert_array_equal(copy.numpy(), IMAGES)
    rows = np.array([9, 2, 2, 7])
    np.testing.assert_array_equal(copy_to(IMAGES, torch.device("cpu"), rows).numpy(), IMAGES[rows])


@pytest.mark.parametrize(("free", "fit"), [(4 * IMAGES.nbytes, True), (4 * IMAGES.nbytes - 1, False)])
def test_images_fit_on_a_gpu_that_has_room_for_four_times_as_much(
    free: int, fit: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free, 10**12))
    assert fits(IMAGES.nbytes, torch.device("cuda", 0)) is fit


def test_images_stay_in_the_map_where_there_is_no_gpu() -> None:
    assert not fits(IMAGES.nbytes, torch.device("cpu"))
