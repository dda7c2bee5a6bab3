"""Calibration by group: mean confidence minus accuracy."""

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
        num_images: number of images.
        confidence: mean probability of the predicted class.
        accuracy: share of hits, with the standard error of confidence minus accuracy.
    """

    name: str
    num_images: int
    confidence: float
    accuracy: Mean

    @property
    def value(self) -> float:
        """Confidence minus accuracy, in [-1, 1]; above 0 where the networks are overconfident."""
        return self.confidence - self.accuracy.value

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Return the interval of `value`: the interval of the accuracy, shifted by the confidence.

        Student's interval is too narrow where misses are few, as they make most of the variance: for 100 calibrated
        predictions of which 95 % are right it excludes 0 in 10 % of cases at a level of 5 %.
        """
        low, high = self.accuracy.exact_share_interval(level)
        return self.confidence - high, self.confidence - low


def overconfidence(runs: Sequence[Predictions], task: str) -> list[Overconfidence]:
    """Measure each race, gender and age group with at least one image.

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
