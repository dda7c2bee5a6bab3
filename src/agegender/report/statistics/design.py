"""The configurations of a sweep that may be compared, and what varied between their runs: seeds, splits, or neither."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from agegender.records.predictions import Predictions
from agegender.report.results import Configuration, Run, SweepResults
from agegender.report.statistics.significance import MIN_BLOCKS

_SPLIT_KEYS = ("data.split_seed", "data.split_file", "data.fold")
WHOLE_RECIPE = "nothing"  # the option of `without` that leaves nothing out: the reference of an ablation


@dataclass(frozen=True)
class Design:
    """Configurations that were tested on the same images, or on the same several splits.

    Attributes:
        compared: the configurations, in the order of the sweep.
        splits: identities of the test parts that each of them was tested on.
        reference: label that all others are compared with in an ablation; None: all pairs are compared.
    """

    compared: tuple[Configuration, ...]
    splits: tuple[str, ...]
    reference: str | None

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the compared configurations."""
        return tuple(configuration.label for configuration in self.compared)

    @property
    def num_pairs(self) -> int:
        """Number of comparisons: all pairs, or those with the reference."""
        number = len(self.compared)
        return number - 1 if self.reference else number * (number - 1) // 2

    @property
    def num_splits(self) -> int:
        return len(self.splits)

    @property
    def has_enough_splits_for_ranks(self) -> bool:
        """Whether Friedman's test may be used: seeds on one test part are not independent blocks."""
        return self.num_splits >= MIN_BLOCKS

    @cached_property
    def num_seeds(self) -> tuple[int, int]:
        """Smallest and largest number of runs of a compared configuration on one split."""
        numbers = [count for one in self.compared for count in Counter(run.images_id for run in one.measured).values()]
        return (min(numbers), max(numbers)) if numbers else (0, 0)

    @property
    def basis(self) -> str:
        """What a significant difference generalizes to.

        `networks`: only these trained networks, as some configuration has a single seed; `methods`: other test images
        and other seeds; `splits`: other splits of such data.
        """
        if self.num_splits > 1:
            return "splits"
        return "networks" if self.num_seeds[0] == 1 else "methods"

    @cached_property
    def num_images(self) -> int:
        """Number of test images of the first split."""
        return len(self.runs_on(0)[0].tested) if self.splits else 0

    @cached_property
    def test_to_train(self) -> float:
        """Number of test images divided by number of training images, of the first run."""
        data = self.runs_on(0)[0].record.data
        trained = ("train", "val") if data.get("train_part") == "trainval" else ("train",)
        return data["counts"]["test"] / sum(data["counts"][part] for part in trained)

    def runs_on(self, split: int) -> list[Run]:
        """Return all compared runs on a split."""
        return [run for one in self.compared for run in one.measured if run.images_id == self.splits[split]]

    def hits(self, configuration: Configuration, task: str) -> np.ndarray:
        """Return which labelled images of the first split each seed predicts right: float32 (S, N)."""
        tested = self.tested(configuration)
        return np.stack([run.hits(task)[run.known(task)] for run in tested]).astype(np.float32)

    def has_labels(self, task: str) -> bool:
        """Whether some images of every split have a label of a task."""
        return all(self.runs_on(split)[0].tested.known(task).any() for split in range(self.num_splits))

    def tested(self, configuration: Configuration) -> list[Predictions]:
        """Return the predictions of a configuration's seeds on the first split."""
        return [run.tested for run in configuration.measured if run.images_id == self.splits[0]]


def design_of(sweep: SweepResults) -> Design:
    """Find the configurations that may be compared: those with the test parts that the most runs have.

    A configuration with a run on other images or groups, or without predictions, is left out. Runs on different images
    count as different splits only if their configurations ask for different splits; otherwise the data have changed.
    """
    of_configuration = {
        one.label: frozenset(str(run.images_id) for run in one.measured)
        for one in sweep.configurations
        if one.measured and len(one.measured) == len(one.complete) and _has_one_test_part_per_split(one)
    }
    if not of_configuration:
        return Design((), (), None)
    num_runs: Counter[frozenset[str]] = Counter()
    for one in sweep.configurations:
        if one.label in of_configuration:
            num_runs[of_configuration[one.label]] += len(one.measured)
    chosen = max(num_runs, key=lambda splits: num_runs[splits])  # of equal ones, the first in the sweep
    compared = tuple(one for one in sweep.configurations if of_configuration.get(one.label) == chosen)
    order = dict.fromkeys(str(run.images_id) for one in compared for run in one.measured)
    return Design(compared, tuple(order), _reference(compared))


def _has_one_test_part_per_split(configuration: Configuration) -> bool:
    by_split: dict[tuple[str, ...], set[str | None]] = {}
    for run in configuration.measured:
        split = tuple(str(run.record.setting(key)) for key in _SPLIT_KEYS)
        by_split.setdefault(split, set()).add(run.images_id)
    return all(len(images) == 1 for images in by_split.values())


def _reference(compared: tuple[Configuration, ...]) -> str | None:
    """Return the label of the whole recipe of an ablation: the one configuration that leaves nothing out."""
    left_out = {one.label: one.runs[0].record.choices.get("without") for one in compared}
    whole = [label for label, part in left_out.items() if part == WHOLE_RECIPE]
    others = [label for label, part in left_out.items() if part not in (None, WHOLE_RECIPE)]
    return whole[0] if len(whole) == 1 and others else None
