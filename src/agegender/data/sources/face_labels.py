"""The labels of a data set as one table, whatever files they come from."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from agegender.labels import MAX_AGE
from agegender.system.errors import InputError

UNKNOWN = -1
_PARTS = ("train", "val", "test")


class Box(NamedTuple):
    """Corners of a face in its image, in pixels."""

    x0: int
    y0: int
    x1: int
    y1: int


@dataclass(frozen=True)
class LabelRow:
    """The labels of one face; -1 and "" are unknown.

    Attributes:
        image: path of its image, or the end of one: folders before it do not matter.
        where: place in the file of labels, for messages.
        first_age, last_age: youngest and oldest possible age in years; equal where it is exact.
        gender: 0 male, 1 female.
        race: index of `labels.RACES`.
        subject: of the person, or what else must stay in one part.
        part: of the official split: train, val or test.
        fold: of the official cross-validation.
        box: of the face in the image; None: the whole image.
    """

    image: str
    where: str
    first_age: int = UNKNOWN
    last_age: int = UNKNOWN
    gender: int = UNKNOWN
    race: int = UNKNOWN
    subject: str = ""
    part: str = ""
    fold: int = UNKNOWN
    box: Box | None = None

    def __post_init__(self) -> None:
        if self.first_age > self.last_age:
            raise ValueError(f"age {self.first_age} to {self.last_age}: the first is above the second")
        if self.last_age > MAX_AGE:
            raise ValueError(f"age {self.last_age} is not in 0 to {MAX_AGE}")
        if self.part and self.part not in _PARTS:
            raise ValueError(f"part {self.part!r} is not one of {', '.join(_PARTS)}")

    @property
    def has_label(self) -> bool:
        """Whether an age or a gender is known."""
        return self.first_age >= 0 or self.gender >= 0

    def labels(self) -> tuple[object, ...]:
        """Return all that is known of the face, without where it stands."""
        return (self.first_age, self.last_age, self.gender, self.race, self.subject, self.part, self.fold)


@dataclass(frozen=True)
class Labels:
    """The labels of a data set, a row per face.

    Attributes:
        name: of the set or of the file of labels, for messages.
        rows: with an age or a gender, no face twice.
        counts: numbers of rows that were left out, by reason: `repeated`, `contradictory`, `without_label`.
    """

    name: str
    rows: tuple[LabelRow, ...]
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 of all labels, hexadecimal; the order of the rows does not matter."""
        lines = sorted(f"{row.image}\t{row.box}\t{row.labels()}\n" for row in self.rows)
        return hashlib.sha256("".join(lines).encode(errors="backslashreplace")).hexdigest()


def collect(
    name: str, rows: Iterable[LabelRow], *, strict: bool = False, left_out: Mapping[str, int] | None = None
) -> Labels:
    """Make a table of rows as they stand in files.

    Rows that repeat a face with the same labels count once. Where they contradict each other, what they disagree on is
    unknown, as which of them is right cannot be told; a user's own file is refused for that.

    Args:
        name: of the set or file.
        rows: of all faces.
        strict: whether a contradiction is an error.
        left_out: numbers of rows that a reader left out, by reason.

    Raises:
        InputError: there is no row with a label; or two rows contradict each other.
    """
    counts = {"repeated": 0, "contradictory": 0, "without_label": 0}
    found: dict[tuple[str, Box | None], LabelRow] = {}
    total = 0
    for row in rows:
        total += 1
        key = (row.image, row.box)
        earlier = found.setdefault(key, row)
        if earlier is row:
            continue
        counts["repeated"] += 1
        if earlier.labels() == row.labels():
            continue
        if strict:
            raise InputError(
                f"{row.where}: {row.image} has other labels than at {earlier.where} ({_difference(earlier, row)}); "
                "keep one of the rows"
            )
        counts["contradictory"] += 1
        found[key] = _agreed(earlier, row)
    labelled = tuple(row for row in found.values() if row.has_label)
    counts["without_label"] = len(found) - len(labelled)
    if not labelled:
        raise InputError(f"{name}: none of its {total:,} rows has an age or a gender; check its columns")
    return Labels(name, labelled, {**counts, **(left_out or {})})


def _difference(first: LabelRow, second: LabelRow) -> str:
    keys = ("first_age", "last_age", "gender", "race", "subject", "part", "fold")
    pairs = [(key, getattr(first, key), getattr(second, key)) for key in keys]
    return ", ".join(f"{key} {one} and {other}" for key, one, other in pairs if one != other)


def _agreed(first: LabelRow, second: LabelRow) -> LabelRow:
    """Return what two rows say alike."""
    changed: dict[str, object] = {}
    if (first.first_age, first.last_age) != (second.first_age, second.last_age):
        changed |= {"first_age": UNKNOWN, "last_age": UNKNOWN}
    for key, unknown in (("gender", UNKNOWN), ("race", UNKNOWN)):
        if getattr(first, key) != getattr(second, key):
            changed[key] = unknown
    return replace(first, **changed)
