"""Decoded images: the file that holds them, how it is written and opened, and decoding without a file."""

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
from agegender.data.cache_folder import check_cache_room, writing_cache
from agegender.data.sources.base import Source
from agegender.system.files import sync_folder

_SYNC_BYTES = 256 * 2**20  # written between two calls that send the file to the disk

log = logging.getLogger(__name__)


class Pixels(Protocol):
    """Decoded images by row number: a memory-mapped array, or `OnDemand`."""

    def __getitem__(self, rows: np.ndarray, /) -> np.ndarray:
        """Give uint8 (B, H, W, 3)."""
        ...


class OnDemand:
    """Pixels that are decoded each time they are asked for: no cache, no disk space, more work per epoch."""

    def __init__(self, source: Source, names: tuple[str, ...], image_size: int) -> None:
        self._source, self._names, self._image_size = source, names, image_size

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        return np.stack([self.decode(row) for row in rows])

    def decode(self, row: int) -> np.ndarray:
        """Give one image, uint8 (H, W, 3)."""
        return images.resize(images.decode(self._source.read(self._names[row])), self._image_size)


class PixelFile:
    """A .npy file that is being filled, row by row, by several threads or processes.

    Rows are written rather than stored through a map, which would take a page fault for every 4 kB. The disk works
    along with the decoding: a thread sends to it what was written, so that little is left to wait for at the end.

    Args:
        path: of the file; it is there.
        offset: of the first row.
        image_size: pixels of a side.
    """

    def __init__(self, path: Path, offset: int, image_size: int) -> None:
        import torch  # noqa: F401 - here, for `resize`: a thread that is bound to a core would count one for all

        self.path, self.image_size = path, image_size
        self._file = path.open("r+b")
        self._offset, self._row_bytes = offset, image_size * image_size * 3
        self._unsent = 0  # bytes written since the last sync began
        self._syncing: Future[None] | None = None
        self._syncer = ThreadPoolExecutor(1, "sync")

    def block(self, num_images: int) -> np.ndarray:
        """Give black images to fill and write, uint8 (B, H, W, 3)."""
        return np.zeros((num_images, self.image_size, self.image_size, 3), dtype=np.uint8)

    def write(self, row: int, block: np.ndarray) -> None:
        """Write images, uint8 (B, H, W, 3), from a row on; a forked process may."""
        view, offset = memoryview(block.data).cast("B"), self._offset + row * self._row_bytes
        while view:
            written = os.pwrite(self._file.fileno(), view, offset)
            view, offset = view[written:], offset + written

    def send(self, num_images: int) -> None:
        """Count images that were written, and let the disk begin with them when there are many."""
        self._unsent += num_images * self._row_bytes
        if self._unsent >= _SYNC_BYTES and (self._syncing is None or self._syncing.done()):
            self._raise_error_of_sync()
            self._unsent = 0
            # macOS has no fdatasync
            self._syncing = self._syncer.submit(getattr(os, "fdatasync", os.fsync), self._file.fileno())

    def keep(self, path: Path) -> None:
        """Give the complete file its name, once the disk has it."""
        self._raise_error_of_sync()
        os.fsync(self._file.fileno())
        try:
            os.replace(self.path, path)
            sync_folder(path.parent)
        except FileNotFoundError:  # this process stood still so long that another took its lock, and its file away
            if not path.exists():
                raise

    def _raise_error_of_sync(self) -> None:
        """Wait for the last sync: the system tells an error of the disk only once."""
        if self._syncing is not None:
            self._syncing.result()

    def close(self) -> None:
        """Let go of the file."""
        self._syncer.shutdown()
        self._file.close()


@contextmanager
def new_pixels(path: Path, num_images: int, image_size: int) -> Iterator[PixelFile]:
    """Give a temporary file to fill; it is gone afterwards unless it was kept.

    Args:
        path: the file whose lock is held: what a killed job left of a temporary file is removed.
        num_images: rows.
        image_size: pixels of a side.

    Raises:
        InputError: it cannot be written.
        MachineError: there is no room for it, or the disk fails.
    """
    folder, temporary = path.parent, path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    for left in folder.glob(f".{path.name}.*.tmp"):
        left.unlink(missing_ok=True)
    shape = (num_images, image_size, image_size, 3)
    check_cache_room(folder, math.prod(shape))
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
    """Claim the file's blocks now: a full disk is told before anything is decoded, and what is written costs less."""
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def open_pixels(path: Path, num_images: int, image_size: int) -> np.ndarray | None:
    """Map a complete cache file, uint8 (N, H, W, 3); None, with a warning where it is broken, if it must be built."""
    if not path.exists():
        return None
    shape = (num_images, image_size, image_size, 3)
    try:
        pixels = np.lib.format.open_memmap(path, mode="r")
        if pixels.shape == shape and pixels.dtype == np.uint8:
            return pixels
        reason = f"holds {pixels.dtype} {pixels.shape} instead of uint8 {shape}"
    except (ValueError, OSError, EOFError) as error:
        reason = str(error)
    log.warning("%s is broken (%s); building it anew", path, reason)
    return None
