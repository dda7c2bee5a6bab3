"""Read every file of a source once: what its name tells, whether it decodes, and its hashes; and keep that as CSV."""

import csv
import hashlib
import io
import itertools
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from rich.progress import track

from agegender import record
from agegender.cores import available_cores, bind_thread
from agegender.data import images
from agegender.data.duplicates import clusters
from agegender.data.faces import Face, FaceTable, Source
from agegender.data.pixels import PixelFile
from agegender.data.utkface import parse_name
from agegender.errors import InputError

_CHUNK = 16  # images that a thread takes, and writes, at once: 3 MB at 256 pixels
_COLUMNS = ("image", "age", "gender", "race", "sha256", "cluster", "skipped")

log = logging.getLogger(__name__)


def scan(source: Source, names: Sequence[str], out: PixelFile | None = None) -> FaceTable:
    """Read the files of a source.

    Args:
        source: where they are.
        names: which of them.
        out: a file to fill with their pixels, so that each image is decoded once; None to leave them.

    Raises:
        InputError: a file is there but cannot be read; one without a face or a label is a row with a reason instead.
    """
    faces = [Face(0, 0, 0)] * len(names)
    contents, reasons = [""] * len(names), [""] * len(names)
    hashes = np.zeros((len(names), images.HASH_BYTES), dtype=np.uint8)

    def scan_file(row: int, pixels: np.ndarray | None) -> None:
        try:
            face = parse_name(names[row])
            content = source.read(names[row])
            image = images.decode(content)
        except InputError:
            raise
        except ValueError as error:
            reasons[row] = " ".join(str(error).split())
            return
        faces[row], contents[row] = face, hashlib.sha256(content).hexdigest()
        hashes[row] = images.difference_hash(image)
        if pixels is not None:
            pixels[:] = images.resize(image, len(pixels))

    def scan_files(rows: range) -> None:
        block = out.block(len(rows)) if out is not None else None
        for index, row in enumerate(rows):
            scan_file(row, block[index] if block is not None else None)
        if out is not None and block is not None:
            out.write(rows.start, block)

    in_parallel(scan_files, len(names), "reading faces")
    ages, genders, races = np.array([(face.age, face.gender, face.race) for face in faces], dtype=np.int64).T
    usable = np.array([not reason for reason in reasons], dtype=bool)
    sets = clusters(hashes, usable)
    return FaceTable(tuple(names), ages, genders, races, tuple(contents), sets, tuple(reasons))


def in_parallel(work: Callable[[range], None], num_items: int, title: str) -> None:
    """Share 0 ... num_items - 1 out in ranges over all cores: Pillow and PyTorch compute outside Python's lock."""
    cores = available_cores()
    free = itertools.cycle(cores)
    # Threads that wait for the lock often look idle, and some systems put them all on one core: each gets its own.
    executor = ThreadPoolExecutor(len(cores), "cores", initializer=lambda: bind_thread(next(free)))
    try:
        chunks = [range(start, min(start + _CHUNK, num_items)) for start in range(0, num_items, _CHUNK)]
        for _ in track(executor.map(work, chunks), title, total=len(chunks), transient=True):
            pass
    finally:
        executor.shutdown(cancel_futures=True)


def write_table(path: Path, table: FaceTable) -> None:
    """Write a table as CSV, whole or not at all; its last line tells that it is whole."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)  # a name may hold any character
    columns = (table.names, table.ages, table.genders, table.races, table.sha256, table.clusters, table.skipped)
    writer.writerows([_COLUMNS, *zip(*columns, strict=True), ("end", len(table))])
    record.write_atomically(path, text.getvalue(), errors="surrogateescape")


def read_table(path: Path) -> FaceTable | None:
    """Read a table back; None, with a warning where the file is broken, if there is none."""
    if not path.exists():
        return None
    try:
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            header, *rows, end = csv.reader(file)
        if tuple(header) != _COLUMNS or end != ["end", str(len(rows))]:
            raise ValueError("it is cut off")
        names, ages, genders, races, contents, sets, reasons = zip(*rows, strict=True)
        ages, genders, races, sets = (np.array(column, dtype=np.int64) for column in (ages, genders, races, sets))
        return FaceTable(names, ages, genders, races, contents, sets, reasons)
    except (ValueError, csv.Error) as error:
        log.warning("%s is broken (%s); scanning anew", path, error)
        return None
