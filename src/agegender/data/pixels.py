"""Decoded images: the file that stores them, how it is written and opened, and decoding without a file."""

import logging
import math
import os
import secrets
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np

from agegender.data import images
from agegender.data.cache_folder import check_free_space, writing_cache
from agegender.data.sources.base import Source
from agegender.system.files import sync_folder

_SYNC_BYTES = 256 * 2**20  # written between two flushes to the disk

log = logging.getLogger(__name__)


class Pixels(Protocol):
    """Decoded images by row number: a memory-mapped array, or `OnDemand`."""

    def __getitem__(self, rows: np.ndarray, /) -> np.ndarray:
        """Return uint8 (B, H, W, 3)."""
        ...


class OnDemand:
    """Pixels that are decoded on each access: no cache, no disk space, more work per epoch."""

    def __init__(self, source: Source, names: tuple[str, ...], image_size: int) -> None:
        self._source = source
        self._names = names
        self._image_size = image_size

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        return np.stack([self.decode(row) for row in rows])

    def decode(self, row: int) -> np.ndarray:
        """Return one image, uint8 (H, W, 3)."""
        return images.resize(images.decode(self._source.read(self._names[row])), self._image_size)


class PixelFile:
    """A .npy file that several threads or processes fill, row by row.

    Rows are written to the file, as storing them through a memory map would cost a page fault for every 4 kB. While
    images are decoded, a thread flushes what was written to the disk, so that little remains to wait for at the end.

    Args:
        path: of the file, which must exist.
        offset: of the first row.
        image_size: pixels of a side.
    """

    def __init__(self, path: Path, offset: int, image_size: int) -> None:
        # For `resize`: PyTorch counts the cores when it is imported, and a thread bound to a core would see only one.
        import torch  # noqa: F401

        self.path = path
        self.image_size = image_size
        self._file = path.open("r+b")
        self._offset = offset
        self._row_bytes = image_size * image_size * 3
        self._num_unsynced = 0  # bytes written since the last sync started
        self._syncing: Future[None] | None = None
        self._syncer = ThreadPoolExecutor(1, "sync")

    def black_images(self, num_images: int) -> np.ndarray:
        """Return black images to fill and write, uint8 (B, H, W, 3)."""
        return np.zeros((num_images, self.image_size, self.image_size, 3), dtype=np.uint8)

    def write(self, row: int, block: np.ndarray) -> None:
        """Write images, uint8 (B, H, W, 3), from a row on; forked processes may call it."""
        view = memoryview(block.data).cast("B")
        offset = self._offset + row * self._row_bytes
        while view:
            written = os.pwrite(self._file.fileno(), view, offset)
            view = view[written:]
            offset += written

    def count_written(self, num_images: int) -> None:
        """Count images that were written, and start a flush to the disk when there are many."""
        self._num_unsynced += num_images * self._row_bytes
        if self._num_unsynced >= _SYNC_BYTES and (self._syncing is None or self._syncing.done()):
            self._raise_error_of_sync()
            self._num_unsynced = 0
            # fsync on macOS, which has no fdatasync
            self._syncing = self._syncer.submit(getattr(os, "fdatasync", os.fsync), self._file.fileno())

    def finish(self, path: Path) -> None:
        """Flush the complete file to the disk, and give it its final name."""
        self._raise_error_of_sync()
        os.fsync(self._file.fileno())
        try:
            os.replace(self.path, path)
            sync_folder(path.parent)
        except FileNotFoundError:  # this process was suspended so long that another took the lock and removed the file
            if not path.exists():
                raise

    def _raise_error_of_sync(self) -> None:
        """Wait for the last sync and raise its error, as the system reports an error of the disk only once."""
        if self._syncing is not None:
            self._syncing.result()

    def close(self) -> None:
        """Close the file."""
        self._syncer.shutdown()
        self._file.close()


@contextmanager
def new_pixels(path: Path, num_images: int, image_size: int) -> Iterator[PixelFile]:
    """Create a temporary file to fill; it is removed afterwards unless `finish` was called.

    Args:
        path: the file whose lock is held, so that temporary files of killed jobs can be removed.
        num_images: number of rows.
        image_size: pixels of a side.

    Raises:
        InputError: the file cannot be written.
        MachineError: the disk is full or fails.
    """
    folder = path.parent
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    for leftover in folder.glob(f".{path.name}.*.tmp"):
        leftover.unlink(missing_ok=True)
    shape = (num_images, image_size, image_size, 3)
    check_free_space(folder, math.prod(shape))
    try:
        with writing_cache(folder):
            offset = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape).offset
            _allocate(temporary)
            out = PixelFile(temporary, offset, image_size)
            try:
                yield out
            finally:
                out.close()
    finally:
        temporary.unlink(missing_ok=True)


def _allocate(path: Path) -> None:
    """Allocate the file's blocks: a full disk is noticed before anything is decoded, and writing is faster."""
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def open_pixels(path: Path, num_images: int, image_size: int) -> np.ndarray | None:
    """Memory-map a complete cache file, uint8 (N, H, W, 3); None if it does not exist or, with a warning, is broken."""
    if not path.exists():
        return None
    shape = (num_images, image_size, image_size, 3)
    try:
        pixels = np.lib.format.open_memmap(path, mode="r")
        if pixels.shape == shape and pixels.dtype == np.uint8:
            return pixels
        reason = f"it contains {pixels.dtype} {pixels.shape} instead of uint8 {shape}"
    except (ValueError, OSError, EOFError) as error:
        reason = str(error)
    log.warning("%s is broken (%s); rebuilding it", path, reason)
    return None
