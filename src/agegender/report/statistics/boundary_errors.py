"""Errors across the upper boundary of the age group 13-20, on which the paper's under-age claim rests.

Letters: S seeds, N images.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agegender.records.predictions import Predictions
from agegender.report.statistics.age_limits import AgeLimits
from agegender.report.statistics.crossed import Mean, crossed_difference
from agegender.report.statistics.significance import mcnemar

UNDERAGE_GROUP = 3  # 13-20 in the closed scheme, 15-20 in Adience's
UNDERAGE_NAMES = ("13-20", "15-20")


def has_underage_group(groups: Sequence[str]) -> bool:
    """Whether age groups are one of the schemes that the paper's statement is about."""
    return len(groups) > UNDERAGE_GROUP and groups[UNDERAGE_GROUP] in UNDERAGE_NAMES


@dataclass(frozen=True)
class BoundaryErrors:
    """Which images are predicted on the wrong side of the upper boundary of the group 13-20 (15-20).

    Attributes:
        group: bool (S, N), for the images of the group: whether they are predicted in an older one.
        minors: bool (S, M), the same for its minors alone, as the group also has adults.
        older: bool (S, L), for the images of older groups: whether they are predicted in the group or a younger one,
            the cost of a method that simply predicts everybody younger.
    """

    group: np.ndarray
    minors: np.ndarray
    older: np.ndarray


def boundary_errors(runs: Sequence[Predictions], limits: AgeLimits) -> BoundaryErrors:
    """Find the images of the group 13-20 (15-20) that are predicted older, and the older ones that are not.

    Args:
        runs: of one configuration, on the same images.
        limits: who is a minor.
    """
    inside = runs[0].group == UNDERAGE_GROUP
    older = runs[0].group > UNDERAGE_GROUP
    minors = inside & limits.minors(runs[0].years)
    predicted_older = np.stack([run.group_predicted > UNDERAGE_GROUP for run in runs])
    return BoundaryErrors(predicted_older[:, inside], predicted_older[:, minors], ~predicted_older[:, older])


@dataclass(frozen=True)
class PairedDifference:
    """A difference of two configurations' shares of the same images.

    Attributes:
        mean: first minus second.
        p_value: two-sided, not adjusted: McNemar's exact test for two networks, else crossed over images and seeds.
        single: whether either configuration has one seed only; the error then lacks the variance of its training.
    """

    mean: Mean
    p_value: float
    single: bool


def paired_difference(first: np.ndarray, second: np.ndarray) -> PairedDifference:
    """Compare the hits of two configurations on the same images, bool (S1, N) and (S2, N)."""
    mean = crossed_difference(first, second)
    if len(first) == len(second) == 1:
        only_first = (first & ~second).sum()
        only_second = (second & ~first).sum()
        return PairedDifference(mean, float(mcnemar(only_first, only_second)), single=True)
    return PairedDifference(mean, mean.p_value(), single=1 in (len(first), len(second)))
