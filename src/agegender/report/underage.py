"""The paper's under-age claim as numbers: who is taken for older than the group 13-20, and for an adult."""

from dataclasses import dataclass

import numpy as np

from agegender.report.runs import Predictions

UNDERAGE_GROUP = 3  # 13-20 in the closed scheme, 15-20 in Adience's


@dataclass(frozen=True)
class Share:
    """A share of images.

    Attributes:
        hits: may be a mean over seeds.
        total: images.
    """

    hits: float
    total: int

    @property
    def value(self) -> float:
        """In [0, 1]; NaN without an image."""
        return self.hits / self.total if self.total else float("nan")


def predicted_older(runs: list[Predictions]) -> Share:
    """Count the images of the group 13-20 (15-20) that are predicted in an older one: a mean over seeds."""
    inside = runs[0].group == UNDERAGE_GROUP
    older = [int((run.group_predicted[inside] > UNDERAGE_GROUP).sum()) for run in runs]
    return Share(float(np.mean(older)), int(inside.sum()))


@dataclass(frozen=True)
class ThresholdCurve:
    """How often a face is taken for the wrong side of a legal age, for every age that one might ask for instead.

    Attributes:
        threshold_age: years; who is younger is a minor.
        asked: (T,) predicted age from which on a face is taken for an adult, years, rising.
        false_positive_rate: (T,) share of the minors that are taken for adults.
        false_negative_rate: (T,) share of the adults that are taken for minors.
        num_minors, num_adults: images.
    """

    threshold_age: float
    asked: np.ndarray
    false_positive_rate: np.ndarray
    false_negative_rate: np.ndarray
    num_minors: int
    num_adults: int

    def at(self, asked: float) -> tuple[float, float]:
        """Give both rates where `asked` years are asked for."""
        index = int(np.searchsorted(self.asked, asked, side="left"))
        index = min(index, len(self.asked) - 1)
        return float(self.false_positive_rate[index]), float(self.false_negative_rate[index])


def threshold_curve(runs: list[Predictions], threshold_age: float) -> ThresholdCurve | None:
    """Try every predicted age as the limit; rates are means over seeds.

    Returns:
        None where the test images have no minors, or no adults.
    """
    years = runs[0].years
    minors, adults = years < threshold_age, years >= threshold_age
    if not minors.any() or not adults.any():
        return None
    asked = np.unique(np.concatenate([[threshold_age], *(run.years_predicted for run in runs)]))
    asked = np.append(asked, np.nextafter(asked[-1], np.inf))  # nobody is taken for an adult
    taken_minors = np.mean([_at_least(run.years_predicted[minors], asked) for run in runs], axis=0)
    taken_adults = np.mean([_at_least(run.years_predicted[adults], asked) for run in runs], axis=0)
    return ThresholdCurve(threshold_age, asked, taken_minors, 1 - taken_adults, int(minors.sum()), int(adults.sum()))


def _at_least(values: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Share of the values that reach each limit."""
    return 1 - np.searchsorted(np.sort(values), limits, side="left") / len(values)
