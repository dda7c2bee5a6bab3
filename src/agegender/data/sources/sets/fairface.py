"""FairFace, Karkkainen & Joo 2021: `fairface_label_train.csv` and `fairface_label_val.csv`.

Its own test part is not public, so its validation part is the test part here, as in the literature. Its nine ranges of
age fit few of the eight groups: faces of the others count for gender alone. Its seven races are read as UTKFace's five.
"""

from functools import partial

from agegender.data.sources.face_labels import LabelRow, Labels, collect
from agegender.data.sources.label_files import LabelFiles, Record
from agegender.data.sources.sets.values import dated_span, gender, race

FILES = ("fairface_label_train.csv", "fairface_label_val.csv")
_PARTS = {"train": "train", "val": "test"}


def read(files: LabelFiles) -> Labels:
    """Read both parts, or the one that is there."""
    rows: list[LabelRow] = []
    for path in files.find(*FILES):
        part = _PARTS[path.rpartition("_")[2].partition(".")[0]]
        rows += files.rows(path, ("file", "age", "gender", "race"), partial(_row, part=part))
    return collect(files.label, rows)


def _row(record: Record, where: str, *, part: str) -> LabelRow:
    first, last = dated_span(record["age"])
    return LabelRow(
        image=record["file"],
        where=where,
        first_age=first,
        last_age=last,
        gender=gender(record["gender"]),
        race=race(record["race"]),
        part=part,
    )
