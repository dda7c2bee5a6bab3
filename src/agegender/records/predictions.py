"""predictions.csv: what a run says of each image of a part; its columns are written and read here alone.

A row per image. Classes are written by their names, true and predicted ages in years, probabilities with 6 decimals in
a column per class, `p_0-2` to `p_54+`, then `p_male` and `p_female`. A label that is unknown is an empty cell.
"""

import csv
import hashlib
import io
import lzma
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agegender.labels import GENDERS, RACES, UNKNOWN_RACE
from agegender.system.errors import InputError
from agegender.system.files import write_atomically

if TYPE_CHECKING:
    import pandas as pd

TASKS = ("age", "gender")

_IMAGE = "image"  # its name, in its source
_CLASSES = ("group", "group_predicted", "gender", "gender_predicted", "race")  # columns of names
_YEARS = ("years", "years_predicted")
_PROBABILITY = "p_"  # before the name of a class


class DamagedPredictionsError(InputError):
    """A file does not hold the predictions of a run: it is foreign, cut off, or was changed.

    Attributes:
        reason: what is wrong with it, in one line.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path} does not hold a run's predictions ({reason}); restore it, or run the job again with resume=false"
        )
        self.reason = reason


@dataclass(frozen=True)
class Predictions:
    """What a run says of each image; N images, G age groups, as numbered by `groups`.

    Attributes:
        groups: G names, youngest first.
        images: (N,) names.
        group, group_predicted: int64 (N,); a group is -1 where it is unknown.
        gender, gender_predicted: int64 (N,), indices of `labels.GENDERS`; a gender is -1 where it is unknown.
        years, years_predicted: float64 (N,); years are NaN where no exact age is known.
        race: int64 (N,), an index of `labels.RACES`, -1 where the file name tells none.
        p_group: float32 (N, G), rows sum to 1.
        p_gender: float32 (N, 2).
    """

    groups: tuple[str, ...]
    images: np.ndarray
    group: np.ndarray
    group_predicted: np.ndarray
    gender: np.ndarray
    gender_predicted: np.ndarray
    years: np.ndarray
    years_predicted: np.ndarray
    race: np.ndarray
    p_group: np.ndarray
    p_gender: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    def known(self, task: str) -> np.ndarray:
        """Return which images have a label of `age`, the group, or `gender`: bool (N,)."""
        return (self.group if task == "age" else self.gender) >= 0

    @property
    def is_complete(self) -> bool:
        """Whether every image has a group, an age in years and a gender."""
        return bool(self.known("age").all() and self.known("gender").all() and not np.isnan(self.years).any())

    def rows(self, chosen: np.ndarray) -> "Predictions":
        """Return the predictions of some images, by bool (N,)."""
        values = {key.name: getattr(self, key.name) for key in fields(self)}
        return Predictions(**{key: value if key == "groups" else value[chosen] for key, value in values.items()})

    def hits(self, task: str) -> np.ndarray:
        """Return which images are right at `age` or `gender`: bool (N,), False where the label is unknown.

        Not by probabilities, which a file rounds.
        """
        if task == "age":
            return self.group_predicted == self.group
        return self.gender_predicted == self.gender

    def probabilities(self, task: str) -> np.ndarray:
        """Return the probabilities of the age groups or of the genders, (N, C)."""
        return self.p_group if task == "age" else self.p_gender

    def images_id(self) -> str:
        """Return a hash of the images and their labels: runs with the same one are compared image by image."""
        labels = np.stack([self.group, self.gender]).tobytes()
        scheme = "\n".join(self.groups).encode()
        return hashlib.sha256(_digest(self.images) + labels + scheme).hexdigest()


def write(path: Path, predictions: Predictions) -> None:
    """Write predictions, whole or not at all.

    Args:
        path: of the CSV file; its directory is made where it is missing.
        predictions: with true ages in whole years, or NaN.

    Raises:
        OSError: there is no room, or the disk refuses.
    """
    columns = _as_text(predictions)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    write_atomically(path, text.getvalue())


def _as_text(predictions: Predictions) -> dict[str, list[str]]:
    """Return the columns of the file, in its order."""
    groups = predictions.groups
    columns = {
        "image": predictions.images.tolist(),
        "group": [groups[index] if index >= 0 else "" for index in predictions.group],
        "group_predicted": [groups[index] for index in predictions.group_predicted],
        "years": ["" if np.isnan(years) else f"{years:.0f}" for years in predictions.years.tolist()],
        "years_predicted": [f"{years:.3f}" for years in predictions.years_predicted.tolist()],
        "gender": [GENDERS[index] if index >= 0 else "" for index in predictions.gender],
        "gender_predicted": [GENDERS[index] for index in predictions.gender_predicted],
        "race": ["" if index == UNKNOWN_RACE else RACES[index] for index in predictions.race],
    }
    for names, probabilities in ((groups, predictions.p_group), (GENDERS, predictions.p_gender)):
        for key, values in zip(_probability_columns(names), probabilities.T.tolist(), strict=True):
            columns[key] = [f"{value:.6f}" for value in values]
    return columns


def read(path: Path, *, groups: Sequence[str], shared_names: dict[bytes, np.ndarray] | None = None) -> Predictions:
    """Read the predictions of a run.

    Args:
        path: of its CSV file, which may be compressed.
        groups: G names, youngest first.
        shared_names: names of images by their digest, filled in here: runs that are read with it keep the names of
            the same images once.

    Raises:
        OSError: it is not there, or cannot be read.
        DamagedPredictionsError: it is not such a file, or of other groups.
    """
    with _damage_named(path):
        table = _read_checked(path, groups=groups)
        images = table[_IMAGE].to_numpy(object)
        if shared_names is not None:
            images = shared_names.setdefault(_digest(images), images)
        return Predictions(
            groups=tuple(groups),
            images=images,
            group=_indices(table, "group", names=groups, unnamed=-1),
            group_predicted=_indices(table, "group_predicted", names=groups),
            gender=_indices(table, "gender", names=GENDERS, unnamed=-1),
            gender_predicted=_indices(table, "gender_predicted", names=GENDERS),
            years=table["years"].to_numpy(np.float64),
            years_predicted=table["years_predicted"].to_numpy(np.float64),
            race=_indices(table, "race", names=RACES, unnamed=UNKNOWN_RACE),
            p_group=table[_probability_columns(groups)].to_numpy(np.float32),
            p_gender=table[_probability_columns(GENDERS)].to_numpy(np.float32),
        )


def read_table(path: Path) -> "pd.DataFrame":
    """Read the predictions of a run as they are written, whatever its age groups.

    Args:
        path: of its CSV file, which may be compressed.

    Returns:
        A row per image: `image`, and the names `group`, `group_predicted`, `gender`, `gender_predicted` and `race`;
        a true one is missing where it is unknown; `years` and `years_predicted`; probabilities `p_...` in [0, 1].

    Raises:
        OSError: it is not there, or cannot be read.
        DamagedPredictionsError: it is not such a file.
    """
    with _damage_named(path):
        table = _read_checked(path, groups=None)
    table = table.astype(dict.fromkeys(_CLASSES, "str"))
    for key in ("group", "gender", "race"):
        table[key] = table[key].where(table[key] != "")
    return table


def read_years(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read true and predicted ages alone, of the images whose exact age is known.

    Args:
        path: of a run's CSV file, which may be compressed.

    Returns:
        Years, float64 (N,) each.

    Raises:
        OSError: it is not there, or cannot be read.
        DamagedPredictionsError: it is not such a file.
    """
    with _damage_named(path):
        table = _read_csv(path, usecols=list(_YEARS), dtype=np.float64)
        table = table.dropna(subset=["years"])
        _check_numbers(table, _YEARS)
    return table["years"].to_numpy(), table["years_predicted"].to_numpy()


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Name the file in what is wrong with its content, which pandas does not."""
    try:
        yield
    except (ValueError, EOFError, lzma.LZMAError) as error:  # the last two of a compressed file
        raise DamagedPredictionsError(path, " ".join(str(error).split())) from error


def _read_csv(path: Path, **options: Any) -> "pd.DataFrame":
    import pandas as pd  # a job only writes: it does not wait for this import

    return pd.read_csv(
        path, keep_default_na=False, na_values={"years": [""]}, encoding_errors="surrogateescape", **options
    )


def _read_checked(path: Path, *, groups: Sequence[str] | None) -> "pd.DataFrame":
    """Read all columns; those of `_CLASSES` as categories. None: of the groups that the file names itself.

    Raises:
        ValueError: a column is missing, or holds what it cannot.
    """
    dtype = dict.fromkeys(_CLASSES, "category")  # each name is looked up once, not in every row
    table = _read_csv(path, dtype={**dtype, _IMAGE: "str"})
    groups = _groups_of(table) if groups is None else groups
    numbers = (*_YEARS, *_probability_columns(groups), *_probability_columns(GENDERS))
    missing = [key for key in (_IMAGE, *_CLASSES, *numbers) if key not in table]
    if missing:
        raise ValueError(f"it has no column {missing[0]}")
    _check_numbers(table, [key for key in numbers if key != "years"])
    _check_years(table)
    for key, names in (("group", groups), ("gender", GENDERS)):
        _check_names(table, key, names=(*names, ""))
        _check_names(table, f"{key}_predicted", names=names)
    _check_names(table, "race", names=(*RACES, ""))
    return table


def _groups_of(table: "pd.DataFrame") -> list[str]:
    named = [key.removeprefix(_PROBABILITY) for key in table.columns if key.startswith(_PROBABILITY)]
    return [name for name in named if name not in GENDERS]


def _probability_columns(names: Iterable[str]) -> list[str]:
    return [f"{_PROBABILITY}{name}" for name in names]


def _check_numbers(table: "pd.DataFrame", columns: Sequence[str]) -> None:
    if len(table) == 0 or not np.isfinite(table[list(columns)].to_numpy(np.float64)).all():
        raise ValueError("it has no rows, or years or probabilities that are not numbers")


def _check_years(table: "pd.DataFrame") -> None:
    if np.isinf(table["years"].to_numpy(np.float64)).any():
        raise ValueError("it has years that are not numbers")


def _check_names(table: "pd.DataFrame", key: str, *, names: Sequence[str]) -> None:
    column = table[key].cat
    unknown = [name for name in column.categories if name not in names]
    if unknown or (column.codes < 0).any():
        wrong = unknown[0] if unknown else None
        raise ValueError(f"{key} holds {wrong!r}, not one of {', '.join(filter(None, names))}")


def _indices(table: "pd.DataFrame", key: str, *, names: Sequence[str], unnamed: int | None = None) -> np.ndarray:
    """Number the classes of a checked column, int64 (N,); `unnamed`: of an empty cell."""
    index = {name: number for number, name in enumerate(names)}
    if unnamed is not None:
        index[""] = unnamed
    column = table[key].cat
    return np.array([index[name] for name in column.categories], dtype=np.int64)[column.codes]


def _digest(names: np.ndarray) -> bytes:
    return hashlib.sha256("\n".join(names).encode(errors="surrogateescape")).digest()
