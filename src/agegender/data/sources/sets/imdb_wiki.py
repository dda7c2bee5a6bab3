"""IMDB-WIKI, Rothe et al. 2018: `imdb.mat` or `wiki.mat` beside the cropped faces.

The age is the year of the photograph minus the date of birth, taken in the middle of the year. As is usual, only images
with a face (score of at least 1), without a second one, with an age in 0 to 100 and a gender are used; others are
counted. Its gender is 1 for male and 0 for female, the opposite of UTKFace's.
"""

import io
import math
from collections import Counter
from datetime import date
from typing import Any

from agegender.data.sources.face_labels import LabelRow, Labels, collect
from agegender.data.sources.label_files import LabelFiles
from agegender.system.errors import InputError

FILES = ("imdb.mat", "wiki.mat")
_LEAST_SCORE = 1.0  # of the face detector
_OLDEST = 100  # years
_MATLAB_DAYS = 366  # between MATLAB's day 1 and Python's
_FIELDS = ("full_path", "dob", "photo_taken", "gender", "face_score", "second_face_score")


def read(files: LabelFiles) -> Labels:
    """Read imdb.mat, wiki.mat, or both.

    Raises:
        InputError: a file is missing, or is not such a table.
    """
    left_out: Counter[str] = Counter()
    rows = [row for path in files.find(*FILES) for row in _rows(path, _columns(files, path), left_out)]
    return collect(files.label, rows, left_out=left_out)


def _columns(files: LabelFiles, path: str) -> dict[str, Any]:
    from scipy.io import loadmat  # here, as it takes a while to import

    name = path.rpartition("/")[2].partition(".")[0]
    try:
        table = loadmat(io.BytesIO(files.read(path)))[name][0, 0]
        return {key: table[key].ravel() for key in _FIELDS}
    except (ValueError, KeyError, IndexError, TypeError, OSError, NotImplementedError) as error:
        raise InputError(f"{path} is not the table of IMDB-WIKI ({error}); download it again") from error


def _rows(path: str, columns: dict[str, Any], left_out: Counter[str]) -> list[LabelRow]:
    rows = []
    for number, (image, dob, taken, gender, score, second) in enumerate(zip(*columns.values(), strict=True), start=1):
        age = age_in(int(taken), int(dob))
        reason = _reason(age, float(gender), float(score), float(second))
        if reason:
            left_out[reason] += 1
            continue
        rows.append(
            LabelRow(
                image=str(image[0]) if len(image) else "",
                where=f"{path}, entry {number}",
                first_age=age,
                last_age=age,
                gender=1 - int(gender),
            )
        )
    return rows


def age_in(year: int, birth: int) -> int:
    """Return the age in the middle of a year, in completed years.

    Args:
        year: of the photograph.
        birth: date of birth as MATLAB's serial number of a day.
    """
    born = date.fromordinal(max(birth - _MATLAB_DAYS, 1))
    return year - born.year - (born.month >= 7)


def _reason(age: int, gender: float, score: float, second: float) -> str:
    """Return why an image is not used, or nothing."""
    if not score >= _LEAST_SCORE:
        return "without_face"
    if not math.isnan(second):
        return "with_second_face"
    if not 0 <= age <= _OLDEST:
        return "impossible_age"
    return "without_gender" if math.isnan(gender) else ""
