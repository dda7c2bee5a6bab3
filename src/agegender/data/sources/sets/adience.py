"""Adience, Eidinger et al. 2014: five files `fold_0_data.txt` to `fold_4_data.txt` beside `aligned/` or `faces/`.

Its protocol: test on each fold in turn, with `data.fold=0,1,2,3,4`; the folds share no album. Some ages are misprints
or leave the groups; the literature maps them as here, and single ages to the nearest group, `data.age_groups=nearest`.
"""

from functools import partial

from agegender.data.sources.face_labels import LabelRow, Labels, collect
from agegender.data.sources.label_files import LabelFiles, Record
from agegender.data.sources.sets.values import age_span, gender

FILES = ("fold_[0-9]_data.txt",)
_COLUMNS = ("user_id", "original_image", "face_id", "age", "gender")
_ALIGNED = "landmark_aligned_face"
_TILTED = "coarse_tilt_aligned_face"
_MAPPED = {"(25, 23)": (25, 32), "(38, 48)": (38, 43), "(8, 23)": (8, 12)}  # 72, 6 and 1 rows


def read(files: LabelFiles) -> Labels:
    """Read the five folds; of the images the aligned ones, if they are there."""
    has_aligned = any(_ALIGNED in name for name in files.image_names())
    rows: list[LabelRow] = []
    for path in files.find(*FILES):
        fold = int(path.rpartition("fold_")[2][0])
        rows += files.rows(path, _COLUMNS, partial(_row, fold=fold, crop=_ALIGNED if has_aligned else _TILTED))
    return collect(files.label, rows)


def _row(record: Record, where: str, *, fold: int, crop: str) -> LabelRow:
    first, last = _MAPPED.get(record["age"]) or age_span(record["age"])
    album = record["user_id"]
    return LabelRow(
        image=f"{album}/{crop}.{record['face_id']}.{record['original_image']}",
        where=where,
        first_age=first,
        last_age=last,
        gender=gender(record["gender"]),
        subject=album,
        fold=fold,
    )
