"""The file of decoded images while it is being filled; its use as a cache is tested in test_cache.py."""

import errno
import os
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from agegender.data import pixels as pixels_module
from agegender.data.pixels import PixelFile, new_pixels, open_pixels
from agegender.system.errors import MachineError

NUM = 37
SIZE = 5
IMAGES = np.random.default_rng(0).integers(0, 256, (NUM, SIZE, SIZE, 3), dtype=np.uint8)


def write_in_threads(out: PixelFile, images: np.ndarray = IMAGES, rows: int = 4) -> None:
    """Write all images in blocks of a few rows, in any order, from four threads."""

    def write(start: int) -> None:
        block = out.black_images(len(images[start : start + rows]))
        assert (block.shape[1:], block.dtype, block.any()) == ((SIZE, SIZE, 3), np.uint8, False)
        block[:] = images[start : start + rows]
        out.write(start, block)

    starts = list(range(0, len(images), rows))
    random.Random(1).shuffle(starts)
    with ThreadPoolExecutor(4) as executor:
        for _ in executor.map(write, starts):
            out.count_written(rows)


def written(folder: Path, fill: Callable[[PixelFile], None] = write_in_threads) -> np.ndarray:
    """Fill a file, finish it, and return the images that are read back."""
    with new_pixels(folder / "a.npy", NUM, SIZE) as out:
        fill(out)
        out.finish(folder / "a.npy")
    pixels = open_pixels(folder / "a.npy", NUM, SIZE)
    assert pixels is not None
    return pixels


def test_blocks_that_several_threads_write_land_in_their_rows(tmp_path: Path) -> None:
    np.testing.assert_array_equal(written(tmp_path), IMAGES)


@pytest.mark.parametrize("has_fdatasync", [True, False])
def test_the_rows_are_the_same_when_the_disk_is_sent_them_all_along(
    has_fdatasync: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixels_module, "_SYNC_BYTES", 1)
    if not has_fdatasync:
        monkeypatch.delattr(os, "fdatasync")
    np.testing.assert_array_equal(written(tmp_path), IMAGES)


def test_a_system_that_writes_less_than_it_is_given_is_given_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, data, offset: pwrite(file, data[:7], offset))
    np.testing.assert_array_equal(written(tmp_path), IMAGES)


def test_numpy_reads_the_file_and_rows_that_were_not_written_are_black(tmp_path: Path) -> None:
    written(tmp_path, lambda out: out.write(30, IMAGES[30:]))
    by_numpy = np.load(tmp_path / "a.npy")
    assert not by_numpy[:30].any()
    np.testing.assert_array_equal(by_numpy[30:], IMAGES[30:])


def test_a_file_has_its_name_from_the_moment_it_is_kept_and_not_before(tmp_path: Path) -> None:
    with new_pixels(tmp_path / "table.csv", NUM, SIZE) as out:
        write_in_threads(out)
        (temporary,) = (path.name for path in tmp_path.iterdir())
        assert temporary.startswith(".table.csv.") and temporary.endswith(".tmp")
        out.finish(tmp_path / "kept.npy")
        assert [path.name for path in tmp_path.iterdir()] == ["kept.npy"]
    assert [path.name for path in tmp_path.iterdir()] == ["kept.npy"]


def test_a_file_that_was_not_kept_is_gone(tmp_path: Path) -> None:
    with new_pixels(tmp_path / "a.npy", NUM, SIZE) as out:
        write_in_threads(out)
    assert not list(tmp_path.iterdir())


def fail(number: int) -> Callable[..., int]:
    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    return fail


def test_a_disk_that_fills_up_while_rows_are_written_is_told_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "pwrite", fail(errno.ENOSPC))
    with pytest.raises(MachineError, match=r"cannot be written: No space left on device.*data\.cache=false"):
        written(tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_error_of_the_disk_that_only_an_early_sync_is_told_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def fdatasync(_: int) -> None:  # like Linux, which reports an error only once
        calls.append(True)
        if len(calls) == 1:
            fail(errno.EIO)()

    def fill(out: PixelFile) -> None:
        for _ in range(2000):  # long enough for a second sync to start, if one does
            out.write(0, IMAGES)
            out.count_written(len(IMAGES))

    monkeypatch.setattr(pixels_module, "_SYNC_BYTES", 1)
    monkeypatch.setattr(os, "fdatasync", fdatasync, raising=False)
    with pytest.raises(MachineError, match=r"cannot be written: .*Input/output error"):
        written(tmp_path, fill)
    assert not list(tmp_path.iterdir())
