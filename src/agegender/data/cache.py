"""Keep what a scan found: a table of the files, and their pixels in one memory-mapped uint8 file.

Both lie in the cache directory. They are written under a temporary name and renamed when complete, behind a lock, so
that concurrent jobs build them once and a killed job leaves nothing that looks complete.
"""

import hashlib
import json
import logging
import math
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import filelock
import numpy as np
import PIL

from agegender.data import images
from agegender.data.faces import FaceTable, Source
from agegender.data.scan import in_parallel, read_table, scan, write_table
from agegender.errors import InputError, describe

VERSION = 1  # of the files written here: raise it when their content changes, so that old ones are left alone

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
        return np.stack([self._decode(self._names[row]) for row in rows])

    def _decode(self, name: str) -> np.ndarray:
        return images.resize(images.decode(self._source.read(name)), self._image_size)


class Cache:
    """The scanned and decoded files of one source.

    Args:
        source: where the files are.
        image_size: pixels of a side; None if only the table is wanted.
        limit: use a random sample of so many files, drawn with `seed`; None for all.
        seed: of that sample.
        folder: the cache directory; None keeps nothing on disk: every start scans anew.
    """

    def __init__(
        self, source: Source, *, image_size: int | None, limit: int | None, seed: int, folder: Path | None
    ) -> None:
        self.source = source
        self._image_size, self._limit, self._seed, self._folder = image_size, limit, seed, folder

    def table(self) -> FaceTable:
        """Scan the source, or read what an earlier scan found."""
        if self._folder is None:
            return scan(self.source, self._names())
        sample = [self._limit, self._seed] if self._limit is not None else []
        path = self._folder / f"table-{_key([self.source.signature(), *sample])}.csv"
        with _locked(path):
            table = read_table(path)
            if table is None:
                table = self._scan_and_decode(path)
        return table

    def pixels(self, table: FaceTable) -> Pixels:
        """Open the decoded images, decoding them first if no job has yet.

        Returns:
            uint8 (N, H, W, 3) by row of the table, memory-mapped; rows of skipped files are black.

        Raises:
            InputError: the cache directory has no room.
        """
        assert self._image_size is not None
        decoder = OnDemand(self.source, table.names, self._image_size)
        if self._folder is None:
            return decoder
        path = self._pixels_path(table)
        with _locked(path):
            pixels = _open_pixels(path, self._shape(table.names))
            if pixels is None:
                with _new_pixels(path, self._shape(table.names)) as (temporary, out):
                    rows = np.flatnonzero(table.usable)

                    def decode(index: int) -> None:
                        out[rows[index]] = decoder[rows[index : index + 1]][0]

                    in_parallel(decode, len(rows), f"decoding faces at {self._image_size} pixels")
                    out.flush()
                    os.replace(temporary, path)
                pixels = _open_pixels(path, self._shape(table.names))
        assert pixels is not None
        return pixels

    def _shape(self, names: Sequence[str]) -> tuple[int, ...]:
        assert self._image_size is not None
        return (len(names), self._image_size, self._image_size, 3)

    def _pixels_path(self, table: FaceTable) -> Path:
        assert self._folder is not None
        return self._folder / f"pixels-{_key([table.fingerprint])}-{self._image_size}.npy"

    def _names(self) -> list[str]:
        names = self.source.names()
        if self._limit is None or self._limit >= len(names):
            return names
        chosen = np.random.default_rng(self._seed).permutation(len(names))[: self._limit]
        return [names[index] for index in sorted(chosen)]

    def _scan_and_decode(self, path: Path) -> FaceTable:
        """Scan, and keep the pixels of the same pass: each file is decoded once."""
        names = self._names()
        if self._image_size is None:
            table = scan(self.source, names)
        else:
            with _new_pixels(path, self._shape(names)) as (temporary, out):
                table = scan(self.source, names, out)
                out.flush()
                os.replace(temporary, self._pixels_path(table))
        write_table(path, table)
        return table


def _key(parts: list[object]) -> str:
    """Name a file after all that its content depends on."""
    return hashlib.sha256(json.dumps([VERSION, PIL.__version__, *parts]).encode()).hexdigest()[:24]


@contextmanager
def _new_pixels(path: Path, shape: tuple[int, ...]) -> Iterator[tuple[Path, np.memmap]]:
    """Give a temporary file and its map to fill; it is gone afterwards unless it was renamed.

    Args:
        path: the file whose lock is held: what a killed job left of its temporary file is overwritten.
        shape: of the images.
    """
    folder, temporary = path.parent, path.with_name(f".{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    num_bytes, free = math.prod(shape), shutil.disk_usage(folder).free
    if num_bytes > free:
        raise InputError(
            f"{folder} has room for {free / 1e9:.1f} GB, the decoded images need {num_bytes / 1e9:.1f} GB; "
            "choose another data.cache_dir, a smaller data.image_size, or data.cache=false"
        )
    try:
        out = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
        _allocate(temporary)
        yield temporary, out
    except OSError as error:
        reason = describe(error) or str(error)
        raise InputError(f"the cache in {folder} cannot be written: {reason}; or use data.cache=false") from error
    finally:
        temporary.unlink(missing_ok=True)


def _allocate(path: Path) -> None:
    """Claim the file's blocks now: on a full disk this raises, where writing through the map would kill the process."""
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path.with_name(f".{path.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        log.info("another job is filling the cache at %s; waiting for it", path.parent)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _open_pixels(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    """Map a complete cache file; None, with a warning where a file is broken, if it must be built."""
    if not path.exists():
        return None
    try:
        pixels = np.lib.format.open_memmap(path, mode="r")
        if pixels.shape == shape and pixels.dtype == np.uint8:
            return pixels
        reason = f"holds {pixels.dtype} {pixels.shape} instead of uint8 {shape}"
    except (ValueError, OSError, EOFError) as error:
        reason = str(error)
    log.warning("%s is broken (%s); building it anew", path, reason)
    return None
