"""AgeDB, Moschoglou et al. 2017: labels in names such as `12_JaneDoe_35_f.jpg`: number, person, age, gender."""

import re

from agegender.data.sources.face_labels import LabelRow, Labels, collect
from agegender.data.sources.label_files import LabelFiles, rows_of_names
from agegender.data.sources.sets.values import gender, named_face

FILES: tuple[str, ...] = ()
_NAME = re.compile(r"\d+_(?P<person>[^/]+)_(?P<age>\d{1,3})_(?P<gender>[mf])\.jpe?g$", re.IGNORECASE)


def read(files: LabelFiles) -> Labels:
    """Read the names."""
    return collect(files.label, rows_of_names(files, _NAME, _row, example="12_JaneDoe_35_f.jpg"))


def _row(match: re.Match[str]) -> LabelRow:
    return named_face(match, gender=gender(match["gender"]), subject=match["person"])
