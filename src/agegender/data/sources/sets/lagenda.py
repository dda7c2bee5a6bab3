"""LAGENDA, and other tables in the form of MiVOLO, Kuprashevich & Tolstykh 2023: whole scenes with boxes of faces.

The columns are `img_name, age, gender, face_x0, face_y0, face_x1, face_y1`; -1 is unknown; an age is 34 or 25;32. Rows
without a box show a person from behind, and are left out.
"""

from agegender.data.sources.face_labels import LabelRow, Labels, collect
from agegender.data.sources.label_files import LabelFiles, Record
from agegender.data.sources.sets.values import age_span, box, gender

FILES = ("lagenda*.csv",)
_COLUMNS = ("img_name", "age", "gender", "face_x0", "face_y0", "face_x1", "face_y1")


def read(files: LabelFiles) -> Labels:
    """Read lagenda*.csv, or the one table that `data.labels` names."""
    paths = files.paths() if len(files.paths()) == 1 else files.find(*FILES)
    without_face = 0

    def row(record: Record, where: str) -> LabelRow | None:
        nonlocal without_face
        face = box((record["face_x0"], record["face_y0"], record["face_x1"], record["face_y1"]))
        if face is None:
            without_face += 1
            return None
        first, last = age_span(record["age"])
        return LabelRow(
            image=record["img_name"],
            where=where,
            first_age=first,
            last_age=last,
            gender=gender(record["gender"]),
            box=face,
        )

    rows = [one for path in paths for one in files.rows(path, _COLUMNS, row)]
    return collect(files.label, rows, left_out={"without_face": without_face})
