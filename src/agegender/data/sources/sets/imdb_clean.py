"""IMDB-clean, Lin et al. 2021: `imdb_{train,valid,test}_new.csv`, or `..._new_1024.csv` of the larger images.

The faces are cut out of the images by the boxes of the table. A person is known by the nm number in the file's name.
"""

from functools import partial
from pathlib import PurePosixPath

from agegender.data.sources.face_labels import LabelRow, Labels, collect
from agegender.data.sources.label_files import LabelFiles, Record
from agegender.data.sources.sets.values import age_span, box, gender

FILES = ("imdb_*_new_1024.csv", "imdb_*_new.csv")
_COLUMNS = ("filename", "age", "gender", "x_min", "y_min", "x_max", "y_max")
_PARTS = {"train": "train", "valid": "val", "test": "test"}


def read(files: LabelFiles) -> Labels:
    """Read the parts of one of the two releases, the larger if both are there."""
    rows: list[LabelRow] = []
    for path in files.find(FILES[0]) if files.has(FILES[0]) else files.find(*FILES):
        part = _PARTS.get(PurePosixPath(path).name.split("_")[1], "")
        rows += files.rows(path, _COLUMNS, partial(_row, part=part))
    return collect(files.label, rows)


def _row(record: Record, where: str, *, part: str) -> LabelRow:
    first, last = age_span(record["age"])
    person = PurePosixPath(record["filename"]).name.partition("_")[0]
    return LabelRow(
        image=record["filename"],
        where=where,
        first_age=first,
        last_age=last,
        gender=gender(record["gender"]),
        subject=person if person.startswith("nm") else "",
        part=part,
        box=box((record["x_min"], record["y_min"], record["x_max"], record["y_max"])),
    )
