"""The paper's under-age claim as numbers: who is predicted older than the group 13-20.

Letters: S seeds, N images.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agegender.labels import CHALLENGE_AGE, MINORS_PASSED, THRESHOLD_AGE
from agegender.records.predictions import Predictions
from agegender.report.statistics.crossed import Mean, crossed_difference
from agegender.report.statistics.significance import mcnemar

UNDERAGE_GROUP = 3  # 13-20 in the closed scheme, 15-20 in Adience's
TEENAGER = 13  # years, first of the group 13-20; 81 % of UTKFace's minors are younger, and would hide a rate at 17


@dataclass(frozen=True)
class AgeLimits:
    """The ages at which an age check is judged.

    Attributes:
        threshold_age: years; who is younger is a minor.
        challenge_age: years; asked for in place of the threshold, as a margin for the error of the predicted age.
        minors_passed: share of the teenagers of the validation part that may reach a chosen age, in (0, 1).
    """

    threshold_age: float = THRESHOLD_AGE
    challenge_age: float = CHALLENGE_AGE
    minors_passed: float = MINORS_PASSED

    @property
    def teenage_years(self) -> str:
        """First and last year of the minors who are teenagers; `13 to 17` for a threshold of 18."""
        last = math.ceil(self.threshold_age) - 1
        return f"{TEENAGER} to {last}" if last > TEENAGER else f"{TEENAGER}"

    def minors(self, years: np.ndarray) -> np.ndarray:
        """Return whether each age is below the threshold: bool (N,)."""
        return years < self.threshold_age

    def teenagers(self, years: np.ndarray) -> np.ndarray:
        """Return whether each age is that of a minor of 13 years or more: bool (N,)."""
        return self.minors(years) & (years >= TEENAGER)


@dataclass(frozen=True)
class Crossings:
    """Which images are predicted on the other side of the upper end of the group 13-20 (15-20).

    Attributes:
        group: bool (S, N), of the images of the group: predicted in an older one.
        minors: bool (S, M), the same of those below the threshold alone; the others are adults, whatever their group.
        older: bool (S, L), of the images of older groups: predicted in the group or a younger one, the price of a
            method that simply predicts everybody younger.
    """

    group: np.ndarray
    minors: np.ndarray
    older: np.ndarray


def crossings(runs: Sequence[Predictions], limits: AgeLimits) -> Crossings:
    """Find the images of the group 13-20 (15-20) that are predicted older, and the older ones that are not.

    Args:
        runs: of one configuration, on the same images.
        limits: who is a minor.
    """
    inside = runs[0].group == UNDERAGE_GROUP
    older = runs[0].group > UNDERAGE_GROUP
    minors = inside & limits.minors(runs[0].years)
    predicted_older = np.stack([run.group_predicted > UNDERAGE_GROUP for run in runs])
    return Crossings(predicted_older[:, inside], predicted_older[:, minors], ~predicted_older[:, older])


@dataclass(frozen=True)
class PairedDifference:
    """A difference of two configurations' shares of the same images.

    Attributes:
        mean: first minus second.
        p_value: two-sided, not adjusted: of two networks McNemar's exact test, else crossed over images and seeds.
        single: whether either has one seed: then what another training would change is not in the mean's error.
    """

    mean: Mean
    p_value: float
    single: bool


def paired_difference(first: np.ndarray, second: np.ndarray) -> PairedDifference:
    """Compare the hits of two configurations on the same images, bool (S1, N) and (S2, N)."""
    mean = crossed_difference(first, second)
    if len(first) == len(second) == 1:
        only_first, only_second = (first & ~second).sum(), (second & ~first).sum()
        return PairedDifference(mean, float(mcnemar(only_first, only_second)), single=True)
    return PairedDifference(mean, mean.p_value(), single=1 in (len(first), len(second)))
