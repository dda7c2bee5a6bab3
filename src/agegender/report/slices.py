"""Accuracy of every gender, race and age group, with the interval that its few images leave open."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from agegender.labels import GENDERS, RACES
from agegender.report.runs import TASKS, Predictions
from agegender.report.significance import wilson

LEAST_IMAGES = 20  # of a slice that may be called the worst off

ALL = "all"


@dataclass(frozen=True)
class Slice:
    """Test images of one gender, race and age group; `all` where a label is not looked at.

    Attributes:
        num_images: how many.
        age, gender_accuracy: shares in [0, 1], means over seeds; NaN without an image.
        age_interval, gender_interval: Wilson's 95 % intervals, of the images alone.
    """

    gender: str
    race: str
    group: str
    num_images: int
    age_accuracy: float
    age_interval: tuple[float, float]
    gender_accuracy: float
    gender_interval: tuple[float, float]

    @property
    def name(self) -> str:
        """Its labels, without those that are not looked at."""
        return ", ".join(label for label in (self.gender, self.race, self.group) if label != ALL) or ALL


def slices(runs: Sequence[Predictions]) -> list[Slice]:
    """Cut the test images by gender x race x age group, and by each of the three alone.

    Args:
        runs: of one configuration, on the same images.

    Returns:
        All images first, then the single labels, then the combinations; empty ones included. Images without a race are
        in no slice of a race.
    """
    first = runs[0]
    hits_of = [np.mean([run.hits(task) for run in runs], axis=0) for task in TASKS]
    genders, races, groups = (ALL, *GENDERS), (ALL, *RACES), (ALL, *first.groups)
    found = []
    for (g, gender), (r, race), (a, group) in product(enumerate(genders), enumerate(races), enumerate(groups)):
        if (gender, race, group).count(ALL) == 1:
            continue
        inside = np.ones(len(first), dtype=bool)
        for index, labels in ((g, first.gender), (r, first.race), (a, first.group)):
            if index:
                inside &= labels == index - 1
        number = int(inside.sum())
        hits = [float(values[inside].sum()) for values in hits_of]
        shares = [value / number if number else float("nan") for value in hits]
        found.append(
            Slice(
                *(gender, race, group, number),
                *(shares[0], wilson(hits[0], number), shares[1], wilson(hits[1], number)),
            )
        )
    return sorted(found, key=lambda part: -(part.gender, part.race, part.group).count(ALL))


def worst_off(parts: Sequence[Slice], task: str) -> Slice | None:
    """Find the combination of gender, race and age group that is surely served worst.

    Args:
        parts: as `slices` gives them.
        task: `age` or `gender`.

    Returns:
        Of the combinations with at least 20 images, the one whose interval ends lowest; None where none has as many.
    """
    whole = [part for part in parts if ALL not in (part.gender, part.race, part.group)]
    enough = [part for part in whole if part.num_images >= LEAST_IMAGES]
    return min(enough, key=lambda part: getattr(part, f"{task}_interval")[1], default=None)
