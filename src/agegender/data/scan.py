"""The scan of a source: each file's labels from its name, whether it can be decoded, and its hashes; stored as CSV."""

import csv
import hashlib
import io
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from agegender.data import images
from agegender.data.duplicates import clusters
from agegender.data.hashing import HASH_BYTES, difference_hash
from agegender.data.parallel import in_parallel
from agegender.data.pixels import PixelFile
from agegender.data.sources.base import Face, FaceTable, Source
from agegender.data.sources.utkface import parse_name
from agegender.system.errors import InputError
from agegender.system.files import write_atomically

_COLUMNS = ("image", "age", "gender", "race", "sha256", "cluster", "skipped")

log = logging.getLogger(__name__)


def scan(source: Source, names: Sequence[str], out: PixelFile | None = None) -> FaceTable:
    """Read the files of a source.

    Args:
        source: where they are.
        names: which of them to read.
        out: a file to fill with their pixels, so that each image is decoded only once; None: the pixels are dropped.

    Raises:
        InputError: a file exists but cannot be read; a file without an image or labels becomes a row with a reason.
    """

    def scan_files(rows: range) -> list[_Scanned]:
        if out is None:
            return [_scan_file(source, names[row], None) for row in rows]
        block = out.black_images(len(rows))
        scanned = [_scan_file(source, names[row], pixels) for row, pixels in zip(rows, block, strict=True)]
        out.write(rows.start, block)
        return scanned

    files: list[_Scanned] = []
    for scanned in in_parallel(scan_files, len(names), "reading faces"):
        files += scanned
        if out is not None:
            out.count_written(len(scanned))
    ages, genders, races = np.array([(f.face.age, f.face.gender, f.face.race) for f in files], dtype=np.int64).T
    reasons = tuple(file.reason for file in files)
    hashes = np.stack([file.hash for file in files])
    sets = clusters(hashes, np.array([not reason for reason in reasons], dtype=bool))
    return FaceTable(tuple(names), ages, genders, races, tuple(file.sha256 for file in files), sets, reasons)


class _Scanned(NamedTuple):
    """The result for one file; for an unusable file only the reason."""

    face: Face = Face(0, 0, 0)
    sha256: str = ""
    hash: np.ndarray = np.zeros(HASH_BYTES, dtype=np.uint8)
    reason: str = ""


def _scan_file(source: Source, name: str, pixels: np.ndarray | None) -> _Scanned:
    """Read one file, and store its pixels in `pixels`, uint8 (H, W, 3), if given."""
    try:
        face = parse_name(name)
        content = source.read(name)
        image = images.decode(content)
    except InputError:
        raise
    except ValueError as error:
        return _Scanned(reason=" ".join(str(error).split()))
    if pixels is not None:
        pixels[:] = images.resize(image, len(pixels))
    return _Scanned(face, hashlib.sha256(content).hexdigest(), difference_hash(image))


def write_table(path: Path, table: FaceTable) -> None:
    """Write a table as CSV, atomically; its last line marks that it is complete."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)  # a name may hold any character
    columns = (table.names, table.ages, table.genders, table.races, table.sha256, table.clusters, table.skipped)
    writer.writerows([_COLUMNS, *zip(*columns, strict=True), ("end", len(table))])
    write_atomically(path, text.getvalue(), errors="surrogateescape")


def read_table(path: Path) -> FaceTable | None:
    """Read a table back; None if there is none, or, with a warning, if it is broken."""
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
        log.warning("%s is broken (%s); scanning again", path, error)
        return None
