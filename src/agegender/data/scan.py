"""The scan of a source: each file's labels, whether it can be decoded, and its hashes; stored as CSV."""

import csv
import hashlib
import io
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from agegender.data import images
from agegender.data.duplicates import clusters
from agegender.data.hashing import HASH_BYTES, difference_hash
from agegender.data.labelled import LabelledSource
from agegender.data.parallel import in_parallel
from agegender.data.pixels import PixelFile
from agegender.data.sources.base import Face, FaceTable, SetColumns, Source
from agegender.data.sources.utkface import parse_name
from agegender.system.errors import InputError
from agegender.system.files import write_atomically

_COLUMNS = ("image", "age", "gender", "race", "sha256", "cluster", "skipped")
_OF_SET = ("last_age", "subject", "part", "fold")  # further columns, where the labels come from files

log = logging.getLogger(__name__)


def scan(source: Source, names: Sequence[str], out: PixelFile | None = None) -> FaceTable:
    """Read the files of a source, whose labels are in their names unless it is a `LabelledSource`.

    Args:
        source: where they are.
        names: which of them to read.
        out: a file to fill with their pixels, so that each image is decoded only once; None: the pixels are dropped.

    Raises:
        InputError: a file exists but cannot be read; a file without an image or labels becomes a row with a reason.
    """
    face_of = source.face if isinstance(source, LabelledSource) else parse_name

    def scan_files(rows: range) -> list[_Scanned]:
        if out is None:
            return [_scan_file(source, face_of, names[row], None) for row in rows]
        block = out.black_images(len(rows))
        scanned = [_scan_file(source, face_of, names[row], pixels) for row, pixels in zip(rows, block, strict=True)]
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
    of_set = _set_columns([file.face for file in files]) if isinstance(source, LabelledSource) else None
    return FaceTable(tuple(names), ages, genders, races, tuple(file.sha256 for file in files), sets, reasons, of_set)


def _set_columns(faces: Sequence[Face]) -> SetColumns:
    return SetColumns(
        last_ages=np.array([face.age if face.last_age is None else face.last_age for face in faces], dtype=np.int64),
        subjects=tuple(face.subject for face in faces),
        parts=tuple(face.part for face in faces),
        folds=np.array([face.fold for face in faces], dtype=np.int64),
    )


class _Scanned(NamedTuple):
    """The result for one file; for an unusable file only the reason."""

    face: Face = Face(0, 0, 0)
    sha256: str = ""
    hash: np.ndarray = np.zeros(HASH_BYTES, dtype=np.uint8)
    reason: str = ""


def _scan_file(source: Source, face_of: Callable[[str], Face], name: str, pixels: np.ndarray | None) -> _Scanned:
    """Read one file, and store its pixels in `pixels`, uint8 (H, W, 3), if given."""
    try:
        face = face_of(name)
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
    columns = [table.names, table.ages, table.genders, table.races, table.sha256, table.clusters, table.skipped]
    header = [*_COLUMNS]
    if table.of_set is not None:
        columns += [table.of_set.last_ages, table.of_set.subjects, table.of_set.parts, table.of_set.folds]
        header += _OF_SET
    writer.writerows([header, *zip(*columns, strict=True), ("end", len(table))])
    write_atomically(path, text.getvalue(), errors="surrogateescape")


def read_table(path: Path) -> FaceTable | None:
    """Read a table back; None if there is none, or, with a warning, if it is broken."""
    if not path.exists():
        return None
    try:
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            header, *rows, end = csv.reader(file)
        if tuple(header) not in (_COLUMNS, (*_COLUMNS, *_OF_SET)) or end != ["end", str(len(rows))]:
            raise ValueError("it is cut off")
        names, ages, genders, races, contents, sets, reasons, *more = zip(*rows, strict=True)
        ages, genders, races, sets = (np.array(column, dtype=np.int64) for column in (ages, genders, races, sets))
        of_set = _read_set_columns(*more) if more else None
        return FaceTable(names, ages, genders, races, contents, sets, reasons, of_set)
    except (ValueError, csv.Error) as error:
        log.warning("%s is broken (%s); scanning again", path, error)
        return None


def _read_set_columns(
    last_ages: tuple[str, ...], subjects: tuple[str, ...], parts: tuple[str, ...], folds: tuple[str, ...]
) -> SetColumns:
    return SetColumns(np.array(last_ages, dtype=np.int64), subjects, parts, np.array(folds, dtype=np.int64))
