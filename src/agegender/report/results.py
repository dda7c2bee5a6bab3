"""The results of a sweep: records and predictions of its runs, grouped into configurations."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agegender.records.predictions import DamagedPredictionsError, Predictions
from agegender.records.predictions import read as read_predictions
from agegender.records.record import PREDICTIONS, Record, predictions_file, read_runs
from agegender.report.choices import choice_value, report_order, varying_choices


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
                groups = record.data["age_groups"]["names"]
                predictions = read_predictions(predictions_file(path), groups=groups, shared_names=names)
            except DamagedPredictionsError as error:
                problems.append(_problem(path.relative_to(folder), error.reason))
            except (OSError, KeyError) as error:
                problems.append(_problem(path.relative_to(folder), " ".join(str(error).split())))
        runs.append(Run(path, record, predictions, None if predictions is None else predictions.images_id()))
    return SweepResults(folder.name, folder, _configurations(runs), tuple(problems))


def _problem(run: Path, reason: str) -> str:
    return f"{run / PREDICTIONS} cannot be read ({reason}); not in the tests"


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
    return run.record.seed, run.record.setting("data.split_seed") or 0
