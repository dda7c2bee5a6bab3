"""FG-NET, Panis et al. 2016: labels in names such as `001A02.JPG`: person, age; no gender.

Its protocol leaves one person out: a fold per person, `data.fold=1` to 82.
"""

import re

from agegender.data.sources.face_labels import LabelRow, Labels, collect
from agegender.data.sources.label_files import LabelFiles, rows_of_names
from agegender.data.sources.sets.values import named_face

FILES: tuple[str, ...] = ()
_NAME = re.compile(r"(?:^|/)(?P<person>\d{3})A(?P<age>\d{2})[a-z]?\.jpe?g$", re.IGNORECASE)


def read(files: LabelFiles) -> Labels:
    """Read the names."""
    return collect(files.label, rows_of_names(files, _NAME, _row, example="001A02.JPG"))


def _row(match: re.Match[str]) -> LabelRow:
    return named_face(match, subject=match["person"], fold=int(match["person"]))
