"""The results of a sweep: records and predictions of its runs, grouped into configurations."""

import hashlib
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from agegender.labels import GENDERS, RACES, UNKNOWN_RACE
from agegender.records.record import PREDICTIONS, Record, predictions_file, read_runs
from agegender.report.choices import choice_value, report_order, varying_choices

TASKS = ("age", "gender")
_LABELS = ("group", "group_predicted", "gender", "gender_predicted", "race")  # columns of names


@dataclass(frozen=True)
class Predictions:
    """The predictions of a run for its test images; N images, G age groups, numbered as in `groups`.

    Attributes:
        groups: G names, youngest first.
        images: (N,) names.
        group, group_predicted: int64 (N,).
        gender, gender_predicted: int64 (N,), indices of `labels.GENDERS`.
        years, years_predicted: float64 (N,).
        race: int64 (N,), an index of `labels.RACES`, -1 where the file name has none.
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

    def hits(self, task: str) -> np.ndarray:
        """Return which images are predicted right at `age` or `gender`, bool (N,); by the predicted classes, as files
        round the probabilities.
        """
        if task == "age":
            return self.group_predicted == self.group
        return self.gender_predicted == self.gender

    def probabilities(self, task: str) -> np.ndarray:
        """Return the probabilities of the age groups or of the genders, (N, C)."""
        return self.p_group if task == "age" else self.p_gender


@dataclass(frozen=True)
class Run:
    """One job.

    Attributes:
        folder: its directory.
        record: its record.json.
        predictions: of a complete run; None where their file is missing or broken, or the run is not complete.
        images_id: identity of the test images and their labels: runs with the same id are compared image by image.
    """

    folder: Path
    record: Record
    predictions: Predictions | None
    images_id: str | None

    @property
    def tested(self) -> Predictions:
        """The predictions of a run that has them."""
        assert self.predictions is not None
        return self.predictions


@dataclass(frozen=True)
class Configuration:
    """Runs that differ only in seed and split.

    Attributes:
        label: model, loss, and the other choices that vary within the sweep; unique within it.
        runs: one per seed and split, complete or not, ordered by seed.
    """

    label: str
    model: str
    loss: str
    runs: tuple[Run, ...]

    @property
    def complete(self) -> tuple[Run, ...]:
        """Its complete runs."""
        return tuple(run for run in self.runs if run.record.status == "complete")

    @property
    def measured(self) -> tuple[Run, ...]:
        """Its complete runs with readable predictions."""
        return tuple(run for run in self.complete if run.predictions is not None)


@dataclass(frozen=True)
class SweepResults:
    """All runs below runs/NAME.

    Attributes:
        name: of the sweep.
        configurations: in the paper's order of models.
        problems: one line for each file of predictions that could not be read.
    """

    name: str
    folder: Path
    configurations: tuple[Configuration, ...]
    problems: tuple[str, ...]

    @property
    def runs(self) -> tuple[Run, ...]:
        """All runs."""
        return tuple(run for configuration in self.configurations for run in configuration.runs)


def read_sweep(folder: Path) -> SweepResults:
    """Read all records and predictions below runs/NAME.

    Evaluations of `eval.py` are left out; a broken record counts as a failed run.
    """
    problems: list[str] = []
    names: dict[bytes, np.ndarray] = {}  # runs on the same images share one array of their names
    runs = []
    for path, record in read_runs(folder):
        predictions = None
        if record.status == "complete":
            try:
                predictions = read_predictions(predictions_file(path), record.data["age_groups"]["names"], names)
            except (OSError, ValueError, KeyError) as error:
                reason = " ".join(str(error).split())
                problems.append(f"{path.relative_to(folder) / PREDICTIONS} cannot be read ({reason}); not in the tests")
        runs.append(Run(path, record, predictions, _images_id(predictions)))
    return SweepResults(folder.name, folder, _configurations(runs), tuple(problems))


def read_predictions(path: Path, groups: Sequence[str], known: dict[bytes, np.ndarray] | None = None) -> Predictions:
    """Read the predictions of a run.

    Args:
        path: of its CSV file, which may be compressed.
        groups: G names, youngest first.
        known: arrays of image names by digest, shared by all runs that are read with it.

    Raises:
        OSError: the file is missing.
        ValueError: its content is not a table of predictions.
    """
    # Each distinct name is looked up once, not once per row.
    dtype: dict[Hashable, Any] = {key: "category" for key in _LABELS}
    dtype["image"] = "str"
    table = pd.read_csv(path, dtype=dtype, keep_default_na=False, encoding_errors="surrogateescape")
    p_group = table[[f"p_{name}" for name in groups]].to_numpy(np.float32)
    p_gender = table[[f"p_{name}" for name in GENDERS]].to_numpy(np.float32)
    images = table["image"].to_numpy(object)
    if known is not None:
        images = known.setdefault(_digest(images), images)
    years, years_predicted = (table[key].to_numpy(np.float64) for key in ("years", "years_predicted"))
    if len(table) == 0 or not all(np.isfinite(values).all() for values in (p_group, p_gender, years, years_predicted)):
        raise ValueError("it has no rows, or years or probabilities that are not numbers")
    return Predictions(
        tuple(groups),
        images,
        _indices(table, "group", groups),
        _indices(table, "group_predicted", groups),
        _indices(table, "gender", GENDERS),
        _indices(table, "gender_predicted", GENDERS),
        years,
        years_predicted,
        _indices(table, "race", RACES, empty=UNKNOWN_RACE),
        p_group,
        p_gender,
    )


def _indices(table: pd.DataFrame, key: str, names: Iterable[str], empty: int | None = None) -> np.ndarray:
    index = {name: number for number, name in enumerate(names)}
    if empty is not None:
        index[""] = empty
    column = pd.Categorical(table[key])
    unknown = [name for name in column.categories if name not in index]
    if unknown or (column.codes < 0).any():
        raise ValueError(f"{key} holds {unknown[0] if unknown else None!r}, not one of {', '.join(index)}")
    return np.array([index[name] for name in column.categories], dtype=np.int64)[column.codes]


def _digest(names: np.ndarray) -> bytes:
    return hashlib.sha256("\n".join(names).encode(errors="surrogateescape")).digest()


def _images_id(predictions: Predictions | None) -> str | None:
    if predictions is None:
        return None
    labels = np.stack([predictions.group, predictions.gender]).tobytes()
    scheme = "\n".join(predictions.groups).encode()
    return hashlib.sha256(_digest(predictions.images) + labels + scheme).hexdigest()


def _configurations(runs: Sequence[Run]) -> tuple[Configuration, ...]:
    extra = varying_choices([run.record for run in runs])
    found: dict[tuple[str, ...], list[Run]] = {}
    for run in sorted(runs, key=lambda run: report_order(run.record)):
        choices = run.record.choices
        key = (
            str(choices.get("model")),
            str(choices.get("loss")),
            *(f"{k}={choice_value(run.record, k)}" for k in extra),
        )
        found.setdefault(key, []).append(run)
    return tuple(
        Configuration(" / ".join(key), key[0], key[1], tuple(sorted(same, key=_seed_and_split)))
        for key, same in found.items()
    )


def _seed_and_split(run: Run) -> tuple[int, int]:
    return run.record.seed, run.record.config.get("data", {}).get("split_seed", 0)
