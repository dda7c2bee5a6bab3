"""A table of labels for any set: `data.labels=faces.csv`.

The column `image` is needed; `age` (34, 25-32, 60+), or `age_min` and `age_max`, or `group` (21-32, 54+); `gender`
(male, female, m, f); `race`, `subject`, `split` (train, val, test), `fold`, and a box `x0, y0, x1, y1` in pixels. Empty
or -1 is unknown. Other columns do not matter.
"""

from agegender.data.sources.face_labels import UNKNOWN, LabelRow, Labels, collect
from agegender.data.sources.label_files import LabelFiles, Record
from agegender.data.sources.sets.values import age_span, box, gender, is_unknown, race
from agegender.system.errors import InputError

FILES = ("faces.csv",)
_AGES = (("age",), ("age_min", "age_max"), ("group",))
_BOX = ("x0", "y0", "x1", "y1")
_PARTS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


def read(files: LabelFiles) -> Labels:
    """Read faces.csv, or the file that `data.labels` names.

    Raises:
        InputError: the file is missing or is not such a table; a value is wrong; two rows contradict each other.
    """
    paths = files.paths() if len(files.paths()) == 1 else files.find(*FILES)
    rows: list[LabelRow] = []
    for path in paths:
        rows += files.rows(path, ("image",), _row)
    if not rows:
        raise InputError(f"{paths[0]} lists no image; give a row per face")
    return collect(files.label, rows, strict=True)


def _row(record: Record, where: str) -> LabelRow:
    image = record["image"]
    if not image:
        raise ValueError("the column image is empty; name the file, relative to data.root")
    first, last = _ages(record)
    return LabelRow(
        image=image.replace("\\", "/"),
        where=where,
        first_age=first,
        last_age=last,
        gender=gender(record.get("gender", "")),
        race=race(record.get("race", "")),
        subject=record.get("subject", ""),
        part=_part(record.get("split", "")),
        fold=_fold(record.get("fold", "")),
        box=box((record["x0"], record["y0"], record["x1"], record["y1"])) if set(_BOX) <= record.keys() else None,
    )


def _ages(record: Record) -> tuple[int, int]:
    given = [keys for keys in _AGES if set(keys) <= record.keys()]
    if len(given) > 1:
        raise ValueError(f"the columns {' and '.join(' and '.join(keys) for keys in given)} all give ages; keep one")
    if not given:
        return UNKNOWN, UNKNOWN
    if len(given[0]) == 1:
        return age_span(record[given[0][0]])
    (first, _), (_, last) = age_span(record["age_min"]), age_span(record["age_max"])
    if (first < 0) != (last < 0):
        raise ValueError("only one of age_min and age_max is known; give both, or none")
    if first > last:
        raise ValueError(f"age_min {first} is above age_max {last}")
    return first, last


def _part(text: str) -> str:
    if is_unknown(text):
        return ""
    if text.casefold() not in _PARTS:
        raise ValueError(f"split {text!r} is not train, val or test, or empty")
    return _PARTS[text.casefold()]


def _fold(text: str) -> int:
    if is_unknown(text):
        return UNKNOWN
    if not text.isdecimal():
        raise ValueError(f"fold {text!r} is not a number such as 0, or empty")
    return int(text)
