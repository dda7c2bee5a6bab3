"""APPA-REAL, Agustsson et al. 2017, with the real ages: `gt_avg_{train,valid,test}.csv` beside the parts' folders.

The images are the faces with a margin of 40 %, `000001.jpg_face.jpg`, not the photographs beside them. Gender and race
are in `allcategories_*.csv`, where these are there. `appa_apparent` reads the apparent ages.
"""

from functools import partial

from agegender.data.sources.face_labels import LabelRow, Labels, collect
from agegender.data.sources.label_files import LabelFiles, Record
from agegender.data.sources.sets.values import age_span, gender, race

FILES = ("gt_avg_train.csv", "gt_avg_valid.csv", "gt_avg_test.csv")
_CATEGORIES = "allcategories_*.csv"
_PARTS = {"train": "train", "valid": "val", "test": "test"}


def read(files: LabelFiles) -> Labels:
    """Read the parts with real ages."""
    return read_ages(files, "real_age")


def read_ages(files: LabelFiles, column: str) -> Labels:
    """Read the parts with the ages of a column: `real_age`, or `apparent_age_avg`, of which completed years count."""
    categories = _categories(files)
    rows: list[LabelRow] = []
    for path in files.find(*FILES):
        folder = path.rpartition("_")[2].partition(".")[0]
        read_row = partial(_row, folder=folder, column=column, categories=categories)
        rows += files.rows(path, ("file_name", column), read_row)
    return collect(files.label, rows)


def _row(record: Record, where: str, *, folder: str, column: str, categories: dict[str, LabelRow]) -> LabelRow:
    first, last = age_span(record[column])
    image = f"{folder}/{record['file_name']}"
    other = categories.get(image)
    return LabelRow(
        image=f"{image}_face.jpg",
        where=where,
        first_age=first,
        last_age=last,
        gender=-1 if other is None else other.gender,
        race=-1 if other is None else other.race,
        part=_PARTS[folder],
    )


def _categories(files: LabelFiles) -> dict[str, LabelRow]:
    if not files.has(_CATEGORIES):
        return {}
    rows: list[LabelRow] = []
    for path in files.find(_CATEGORIES):
        folder = path.rpartition("_")[2].partition(".")[0]
        rows += files.rows(path, ("file", "gender", "race"), partial(_category, folder=folder))
    return {row.image: row for row in collect(files.label, rows).rows}


def _category(record: Record, where: str, *, folder: str) -> LabelRow:
    return LabelRow(
        image=f"{folder}/{record['file']}", where=where, gender=gender(record["gender"]), race=race(record["race"])
    )
