"""Calibration by group: how much surer the networks are of their predictions than they are right."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from agegender.labels import GENDERS, RACES
from agegender.records.predictions import Predictions
from agegender.report.statistics.crossed import Mean, crossed_mean
from agegender.report.statistics.significance import LEVEL


@dataclass(frozen=True)
class Overconfidence:
    """Mean confidence minus accuracy, on the images of a race, a gender or an age group.

    Attributes:
        name: of the group.
        num_images: how many.
        confidence: mean probability of the predicted class.
        accuracy: share of hits, with the error of the difference.
    """

    name: str
    num_images: int
    confidence: float
    accuracy: Mean

    @property
    def value(self) -> float:
        """Above 0 where the networks are too sure, in [-1, 1]."""
        return self.confidence - self.accuracy.value

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Return the interval of `value`: that of a share, moved by the confidence, for misses may be few.

        Student's does not hold: of 100 predictions, 95 % right and calibrated, it leaves 0 out in 10 % at a level of
        5 %, for most of the variance is in the few misses.
        """
        low, high = self.accuracy.exact_share_interval(level)
        return self.confidence - high, self.confidence - low


def overconfidence(runs: Sequence[Predictions], task: str) -> list[Overconfidence]:
    """Measure each race, gender and age group that has an image.

    Args:
        runs: of one configuration, on the same images.
        task: `age` or `gender`.
    """
    labels = runs[0]
    confidence = np.stack([run.probabilities(task).max(axis=1) for run in runs]).astype(np.float64)  # (S, N)
    hits = np.stack([run.hits(task) for run in runs])
    found = []
    for names, index in ((RACES, labels.race), (GENDERS, labels.gender), (labels.groups, labels.group)):
        for at, name in enumerate(names):
            inside = index == at
            if not inside.any():
                continue
            excess = crossed_mean(confidence[:, inside] - hits[:, inside])
            error = {"standard_error": excess.standard_error, "share_degrees": excess.share_degrees}
            accuracy = replace(crossed_mean(hits[:, inside]), **error)
            mean_confidence = float(confidence[:, inside].mean())
            found.append(Overconfidence(name, int(inside.sum()), mean_confidence, accuracy))
    return found
