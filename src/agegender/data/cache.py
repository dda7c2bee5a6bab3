"""The cache of a scan: a table of the files, and their pixels in one memory-mapped uint8 file.

Both are in the cache directory. They are written under a temporary name and renamed when complete, under a lock, so
that concurrent jobs build them once and a killed job leaves nothing that looks complete.
"""

import hashlib
import json
import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path

import numpy as np
import PIL

from agegender.data.cache_folder import writing_cache
from agegender.data.images import optional_decoders
from agegender.data.parallel import in_parallel
from agegender.data.pixels import OnDemand, Pixels, new_pixels, open_pixels
from agegender.data.scan import read_table, scan, write_table
from agegender.data.sources.base import FaceTable, Source
from agegender.system.locks import HeldElsewhere, locked

# Versions of the file formats: raise one when its content changes, so that old files are not read.
TABLE_VERSION = 3
PIXELS_VERSION = 2

log = logging.getLogger(__name__)


class Cache:
    """The scanned and decoded files of one source.

    Args:
        source: where the files are.
        image_size: pixels of a side; None if only the table is needed.
        limit: size of a random sample of the files; None for all files.
        seed: of that sample.
        folder: the cache directory; None stores nothing on disk, so that every start scans again.
    """

    def __init__(
        self, source: Source, *, image_size: int | None, limit: int | None, seed: int, folder: Path | None
    ) -> None:
        self.source = source
        self._image_size = image_size
        self._limit = limit
        self._seed = seed
        self._folder = folder

    def table(self) -> FaceTable:
        """Scan the source, or read the result of an earlier scan."""
        if self._folder is None:
            return scan(self.source, self._names())
        sample = [self._limit, self._seed] if self._limit is not None else []
        path = (
            self._folder / f"table-{_key(TABLE_VERSION, [self.source.signature(), *sample, *optional_decoders()])}.csv"
        )
        with _locked(path):
            table = read_table(path)
            return self._scan_and_decode(path) if table is None else table

    def pixels(self, table: FaceTable) -> Pixels:
        """Open the decoded images, decoding them first if no job has yet.

        Returns:
            uint8 (N, H, W, 3) by row of the table, memory-mapped; rows of skipped files are black.

        Raises:
            InputError: the cache directory cannot be used.
            MachineError: its disk is full or fails.
        """
        assert self._image_size is not None
        decoder = OnDemand(self.source, table.names, self._image_size)
        if self._folder is None:
            return decoder
        path = self._pixels_path(table)
        with _locked(path):
            pixels = open_pixels(path, len(table), self._image_size)
            if pixels is None:
                with new_pixels(path, len(table), self._image_size) as out:

                    def decode(rows: range) -> int:
                        block = out.black_images(len(rows))
                        for index, row in enumerate(rows):
                            if not table.skipped[row]:
                                block[index] = decoder.decode(row)
                        out.write(rows.start, block)
                        return len(rows)

                    title = f"decoding faces at {self._image_size} pixels"
                    for num_written in in_parallel(decode, len(table), title):
                        out.count_written(num_written)
                    out.finish(path)
                pixels = open_pixels(path, len(table), self._image_size)
        assert pixels is not None
        return pixels

    def _pixels_path(self, table: FaceTable) -> Path:
        assert self._folder is not None
        return (
            self._folder
            / f"pixels-{_key(PIXELS_VERSION, [version('torch'), table.contents_id])}-{self._image_size}.npy"
        )

    def _names(self) -> list[str]:
        names = self.source.names()
        if self._limit is None or self._limit >= len(names):
            return names
        chosen = np.random.default_rng(self._seed).permutation(len(names))[: self._limit]
        return [names[index] for index in sorted(chosen)]

    def _scan_and_decode(self, path: Path) -> FaceTable:
        """Scan, and store the pixels in the same pass, so that each file is decoded only once."""
        names = self._names()
        if self._image_size is None:
            table = scan(self.source, names)
        else:
            with new_pixels(path, len(names), self._image_size) as out:
                table = scan(self.source, names, out)
                out.finish(self._pixels_path(table))
        write_table(path, table)
        return table


def _key(format_version: int, parts: list[object]) -> str:
    """Return a key for a file's name, from everything that its content depends on."""
    return hashlib.sha256(json.dumps([format_version, PIL.__version__, *parts]).encode()).hexdigest()[:24]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with writing_cache(path.parent), ExitStack() as stack:
        if path.parent.is_dir() and not os.access(path.parent, os.W_OK):
            yield  # a read-only cache of another user: its files are complete, and no new ones can be added
            return
        try:
            stack.enter_context(locked(path, timeout=0))
        except HeldElsewhere:
            log.info("another job is filling the cache at %s; waiting for it", path.parent)
            stack.enter_context(locked(path))
        yield
