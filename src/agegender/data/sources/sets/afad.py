"""AFAD, Niu et al. 2016: labels in paths such as `18/111/638660-0.jpg`: age, then 111 for male or 112 for female."""

import re

from agegender.data.sources.face_labels import LabelRow, Labels, collect
from agegender.data.sources.label_files import LabelFiles, rows_of_names
from agegender.data.sources.sets.values import coded_gender, named_face

FILES: tuple[str, ...] = ()
_NAME = re.compile(r"(?:^|/)(?P<age>\d{1,3})/(?P<gender>\d{3})/[^/]+\.jpe?g$", re.IGNORECASE)


def read(files: LabelFiles) -> Labels:
    """Read the paths."""
    return collect(files.label, rows_of_names(files, _NAME, _row, example="18/111/638660-0.jpg"))


def _row(match: re.Match[str]) -> LabelRow:
    return named_face(match, gender=coded_gender(match["gender"], male="111", female="112"))
