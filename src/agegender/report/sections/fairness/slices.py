"""Accuracy of slices by gender, race and age group, and which slice is worse than the rest of its age group.

Faces of some ages are harder than others for every gender and race, so a slice is compared within its age group.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy import stats

from agegender.labels import GENDERS, RACES
from agegender.records.predictions import TASKS, Predictions
from agegender.report.statistics.crossed import crossed_mean
from agegender.report.statistics.significance import LEVEL, holm

ALL = "all"

Labels = tuple[str, str, str]  # gender, race and age group; `all` where a label is not restricted


@dataclass(frozen=True)
class Accuracy:
    """Accuracy on a slice.

    Attributes:
        value: share in [0, 1], mean over seeds; NaN without an image.
        interval: over images and seeds; the intervals of all slices with an image cover 95 % together.
        rest: accuracy on all other images of its age group; NaN where there are none, and for slices by a single label.
        p_value: one-sided, of the hypothesis that the accuracy is not below `rest`, adjusted by Holm for all
            combinations that can be tested; NaN where `rest` is, and without an image.
    """

    value: float
    interval: tuple[float, float]
    rest: float = float("nan")
    p_value: float = float("nan")


@dataclass(frozen=True)
class Slice:
    """Test images of one gender, race and age group; `all` where a label is not restricted.

    Attributes:
        num_images: number of images.
        accuracy: by task.
    """

    gender: str
    race: str
    group: str
    num_images: int
    accuracy: dict[str, Accuracy]

    @property
    def name(self) -> str:
        """Its labels, without those that are not restricted."""
        return ", ".join(label for label in (self.gender, self.race, self.group) if label != ALL) or ALL


def slices(runs: Sequence[Predictions]) -> list[Slice]:
    """Divide the test images by gender x race x age group, and by each of the three alone.

    Args:
        runs: of one configuration, on the same images.

    Returns:
        All images first, then slices by a single label, then the combinations; empty ones included. Images without a
        race are in no slice of a race.
    """
    cut = _cut(runs[0])
    hits = {task: np.stack([run.hits(task) for run in runs]) for task in TASKS}
    accuracies = {task: _accuracies(cut, hits[task], runs[0]) for task in TASKS}
    return [
        Slice(*labels, int(inside.sum()), {task: accuracies[task][labels] for task in TASKS})
        for labels, inside in cut.items()
    ]


def worst_off(parts: Sequence[Slice], task: str) -> Slice | None:
    """Find the combination of gender, race and age group that is worst off.

    Args:
        parts: as `slices` returns them.
        task: `age` or `gender`.

    Returns:
        Of the combinations that are significantly worse than the rest of their own age group, the one with the lowest
        accuracy; None where none is shown to be.
    """
    shown = [part for part in parts if part.accuracy[task].p_value < LEVEL]
    return min(shown, key=lambda part: part.accuracy[task].value, default=None)


def _cut(labels: Predictions) -> dict[Labels, np.ndarray]:
    """Return a mask of the images of each slice, bool (N,)."""
    genders = (ALL, *GENDERS)
    races = (ALL, *RACES)
    groups = (ALL, *labels.groups)
    found: dict[Labels, np.ndarray] = {}
    for (g, gender), (r, race), (a, group) in product(enumerate(genders), enumerate(races), enumerate(groups)):
        if (gender, race, group).count(ALL) == 1:
            continue
        inside = np.ones(len(labels), dtype=bool)
        for index, values in ((g, labels.gender), (r, labels.race), (a, labels.group)):
            if index:
                inside &= values == index - 1
        found[gender, race, group] = inside
    return dict(sorted(found.items(), key=lambda item: -item[0].count(ALL)))


def _accuracies(cut: dict[Labels, np.ndarray], hits: np.ndarray, labels: Predictions) -> dict[Labels, Accuracy]:
    """Measure each slice; hits are bool (S, N)."""
    level = LEVEL / sum(inside.any() for inside in cut.values())
    rest, p_value = compare_with_age_groups(hits, combination_numbers(labels), labels.group, len(labels.groups))
    compared: dict[Labels, tuple[float, float]] = {}
    for at, name in enumerate(product(GENDERS, RACES, labels.groups)):
        compared[name] = float(rest[at]), float(p_value[at])
    found = {}
    for name, inside in cut.items():
        mean = crossed_mean(hits[:, inside])
        found[name] = Accuracy(mean.value, mean.exact_share_interval(level), *compared.get(name, ()))
    return found


def combination_numbers(labels: Predictions) -> np.ndarray:
    """Return the number of the combination of gender, race and age group of each image, in the order of `product`.

    Returns:
        int64 (N,), in [0, C); -1 for images without a race.
    """
    number = (labels.gender * len(RACES) + labels.race) * len(labels.groups) + labels.group
    return np.where(labels.race < 0, -1, number)


def compare_with_age_groups(
    hits: np.ndarray, combination: np.ndarray, group: np.ndarray, num_groups: int
) -> tuple[np.ndarray, np.ndarray]:
    """Test for each of C combinations whether its accuracy is below that of the rest of its age group.

    Fisher's exact test per seed. Seeds share their images; twice the mean of their p-values is a valid p-value under
    any dependence (Rüschendorf 1982). Holm's adjustment covers all combinations that have images and a rest.

    Args:
        hits: bool (S, N).
        combination: (N,) as `combination_numbers` returns them.
        group: (N,) age groups.
        num_groups: G.

    Returns:
        (C,) each: accuracy of the rest, mean over seeds, NaN without a rest; adjusted one-sided p-values, NaN where
        nothing can be tested.
    """
    number = len(GENDERS) * len(RACES) * num_groups
    own_group = np.arange(number) % num_groups
    known = combination >= 0
    size = np.bincount(combination[known], minlength=number)
    right = np.stack([np.bincount(combination[known & seed], minlength=number) for seed in hits])  # (S, C)
    group_size = np.bincount(group, minlength=num_groups)[own_group]
    group_right = np.stack([np.bincount(group[seed], minlength=num_groups) for seed in hits])[:, own_group]
    of_seeds = stats.hypergeom.cdf(right, group_size, group_right, size)
    combined = of_seeds[0] if len(hits) == 1 else np.minimum(1.0, 2 * of_seeds.mean(axis=0))
    rest_size = group_size - size
    rest = np.divide((group_right - right).mean(axis=0), rest_size, out=np.full(number, np.nan), where=rest_size > 0)
    tested = (size > 0) & (rest_size > 0)
    adjusted = np.full(number, np.nan)
    adjusted[tested] = holm(combined[tested])
    return rest, adjusted
