"""CACD, Chen et al. 2014: labels in names such as `54_Jane_Doe_0006.jpg`: age, person, number; no gender."""

import re

from agegender.data.sources.face_labels import LabelRow, Labels, collect
from agegender.data.sources.label_files import LabelFiles, rows_of_names
from agegender.data.sources.sets.values import named_face

FILES: tuple[str, ...] = ()
_NAME = re.compile(r"(?:^|/)(?P<age>\d{1,3})_(?P<person>[^/]*\D)_(?P<number>\d{4})\.jpe?g$", re.IGNORECASE)


def read(files: LabelFiles) -> Labels:
    """Read the names."""
    return collect(files.label, rows_of_names(files, _NAME, _row, example="54_Jane_Doe_0006.jpg"))


def _row(match: re.Match[str]) -> LabelRow:
    return named_face(match, subject=match["person"])
