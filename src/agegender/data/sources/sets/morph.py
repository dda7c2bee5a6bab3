"""MORPH II, Ricanek & Tesafaye 2006: `morph_2008_nonCommercial.csv`, whose column photo names the images."""

from agegender.data.sources.face_labels import LabelRow, Labels, collect
from agegender.data.sources.label_files import LabelFiles, Record
from agegender.data.sources.sets.values import age_span, gender, race

FILES = ("morph_2008_nonCommercial.csv", "morph*.csv")
_RACES = {"B": "Black", "W": "White", "A": "Asian", "I": "Indian", "H": "Hispanic", "O": "Other", "U": ""}


def read(files: LabelFiles) -> Labels:
    """Read the table."""
    rows: list[LabelRow] = []
    for path in files.find(FILES[0]) if files.has(FILES[0]) else files.find(*FILES):
        rows += files.rows(path, ("id_num", "age", "gender", "race", "photo"), _row)
    return collect(files.label, rows)


def _row(record: Record, where: str) -> LabelRow:
    first, last = age_span(record["age"])
    return LabelRow(
        image=record["photo"].replace("\\", "/"),
        where=where,
        first_age=first,
        last_age=last,
        gender=gender(record["gender"]),
        race=race(_RACES.get(record["race"].upper(), record["race"])),
        subject=record["id_num"],
    )
