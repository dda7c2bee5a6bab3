"""How the files of data sets write ages, genders, races and boxes; a ValueError says what is wrong with a value."""

import math
import re
from typing import Any

from agegender.data.sources.face_labels import UNKNOWN, Box, LabelRow
from agegender.labels import MAX_AGE, RACES

_NOTHING = frozenset({"", "-1", "-1.0", "none", "nan", "null", "na", "n/a", "?", "u", "unknown", "undefined"})
_NUMBER = r"(\d+(?:\.\d+)?)"
_SPAN = re.compile(rf"[(\[]?\s*{_NUMBER}\s*(?:[-,;]|to)\s*{_NUMBER}\s*[)\]]?")
_FROM = re.compile(rf"(?:(?:more than|over|>=?)\s*{_NUMBER}|{_NUMBER}\s*(?:\+|and (?:more|older)))")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATE = re.compile(r"(?:(?P<day>\d{1,2})-(?P<month>[a-z]{3})|(?P<month2>[a-z]{3})-(?P<day2>\d{1,2}))")
_GENDERS = {"m": 0, "male": 0, "man": 0, "f": 1, "female": 1, "woman": 1}
# Names of races in the sets, as this project's five; UTKFace's Others are, in its words, such as Hispanic, Latino,
# Middle Eastern.
_RACES = {
    **{name.casefold(): index for index, name in enumerate(RACES)},
    "caucasian": RACES.index("White"),
    "afroamerican": RACES.index("Black"),
    "african american": RACES.index("Black"),
    "east asian": RACES.index("Asian"),
    "southeast asian": RACES.index("Asian"),
    "middle eastern": RACES.index("Others"),
    "latino_hispanic": RACES.index("Others"),
    "latino hispanic": RACES.index("Others"),
    "hispanic": RACES.index("Others"),
    "other": RACES.index("Others"),
}


def is_unknown(text: str) -> bool:
    """Whether a value says that nothing is known."""
    return text.strip().casefold() in _NOTHING


def age_span(text: str) -> tuple[int, int]:
    """Read an age, exact or a range: "34", "25-32", "(25, 32)", "25;32", "60+", "more than 70".

    Returns:
        The youngest and the oldest possible age in completed years; -1 and -1 if it is unknown.

    Raises:
        ValueError: it is none of these.
    """
    plain = text.strip().casefold()
    if plain in _NOTHING:
        return UNKNOWN, UNKNOWN
    if match := _SPAN.fullmatch(plain):
        return _years(match[1]), _years(match[2])
    if match := _FROM.fullmatch(plain):
        return _years(match[1] or match[2]), MAX_AGE
    if dated := _DATE.fullmatch(plain):
        raise ValueError(
            f"age {text!r} is a date, as a spreadsheet makes of {'-'.join(map(str, _range_of_date(dated)))}; "
            "mend the file, with the column as text"
        )
    age = _years(plain)
    return age, age


def dated_span(text: str) -> tuple[int, int]:
    """Read an age as `age_span` does, also where a spreadsheet has made a date of a range: 9-Mar of 3-9."""
    dated = _DATE.fullmatch(text.strip().casefold())
    return _range_of_date(dated) if dated else age_span(text)


def _range_of_date(match: re.Match[str]) -> tuple[int, int]:
    month = match["month"] or match["month2"]
    if month not in _MONTHS:
        raise ValueError(f"age {match[0]!r} is not a number or a range of years")
    return _MONTHS.index(month) + 1, int(match["day"] or match["day2"])


def _years(text: str) -> int:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < MAX_AGE + 1:
        raise ValueError(f"age {text!r} is not a number of 0 to {MAX_AGE} years, such as 34, 25-32 or 60+")
    return math.floor(value)


def gender(text: str) -> int:
    """Read a gender in words: m, f, male, female; -1 if it is unknown.

    Raises:
        ValueError: it is none of these; bare numbers are refused, as sets disagree on their meaning.
    """
    plain = text.strip().casefold()
    if plain in _NOTHING:
        return UNKNOWN
    if plain in ("0", "1", "2"):
        raise ValueError(f"gender {text!r}: 0 is male in UTKFace and female in IMDB-WIKI; write male and female")
    if plain not in _GENDERS:
        raise ValueError(f"gender {text!r} is not male or female (m, f), or empty")
    return _GENDERS[plain]


def coded_gender(text: str, *, male: str, female: str) -> int:
    """Read a gender that a set writes by a code; -1 if it is unknown."""
    plain = text.strip().casefold()
    if plain in _NOTHING:
        return UNKNOWN
    if plain not in (male, female):
        raise ValueError(f"gender {text!r} is not {male} (male) or {female} (female)")
    return int(plain == female)


def race(text: str) -> int:
    """Read a race by its name in the sets; -1 if it is unknown.

    Raises:
        ValueError: it is no such name.
    """
    plain = text.strip().casefold()
    if plain in _NOTHING:
        return UNKNOWN
    if plain not in _RACES:
        raise ValueError(f"race {text!r} is not one of {', '.join(RACES)}, or empty")
    return _RACES[plain]


def box(corners: tuple[str, str, str, str]) -> Box | None:
    """Read the corners x0, y0, x1, y1 of a face; None if they are unknown.

    Raises:
        ValueError: they are no numbers, or no box.
    """
    if all(is_unknown(corner) for corner in corners):
        return None
    try:
        x0, y0, x1, y1 = (round(float(corner)) for corner in corners)
    except ValueError:
        raise ValueError(f"the box {', '.join(corners)} is not four numbers") from None
    if x1 <= x0 or y1 <= y0:
        raise ValueError(f"the box {x0}, {y0}, {x1}, {y1} is empty: x1 and y1 are the lower right corner")
    return Box(x0, y0, x1, y1)


def named_face(match: re.Match[str], **labels: Any) -> LabelRow:
    """Return the row of an image whose path holds its labels.

    Args:
        match: of the path, with the group `age`.
        labels: others of `LabelRow`.
    """
    first, last = age_span(match["age"])
    return LabelRow(image=match.string, where=match.string, first_age=first, last_age=last, **labels)
