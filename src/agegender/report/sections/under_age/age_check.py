"""An age check by predicted years: who is taken for the wrong side of a legal age, and which age to ask for.

Letters: S seeds, N images, T ages that may be asked for.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from agegender.records.predictions import Predictions
from agegender.report.statistics.crossed import Mean, crossed_mean
from agegender.report.statistics.significance import LEVEL
from agegender.report.statistics.under_age import AgeLimits


@dataclass(frozen=True)
class WrongSide:
    """Shares of faces that an age check takes for the wrong side of the threshold.

    Attributes:
        asked: predicted age from which on a face passes as an adult, years; one per seed.
        minors: share of all minors that pass.
        teenagers: share of the minors of 13 years or more that pass.
        adults: share of the adults that do not pass.
    """

    asked: tuple[float, ...]
    minors: Mean
    teenagers: Mean
    adults: Mean


def wrong_side(runs: Sequence[Predictions], limits: AgeLimits, asked: Sequence[float]) -> WrongSide:
    """Count who passes where each run asks for an age of its own.

    Args:
        runs: S of one configuration, on the same images.
        limits: who is a minor.
        asked: S ages in years.
    """
    years = runs[0].years
    minors = limits.minors(years)
    passed = np.stack([run.years_predicted >= age for run, age in zip(runs, asked, strict=True)])  # (S, N)
    return WrongSide(
        tuple(asked),
        crossed_mean(passed[:, minors]),
        crossed_mean(passed[:, limits.teenagers(years)]),
        crossed_mean(~passed[:, ~minors]),
    )


def choose_age(years: np.ndarray, years_predicted: np.ndarray, limits: AgeLimits) -> float | None:
    """Choose the lowest age that a new teenager reaches with a probability of at most `minors_passed`.

    Of n teenagers and a new one, each is equally likely to have the k-th highest prediction: the age just above the
    k-th highest of the n is reached by k / (n + 1) of new ones on average, and by k - 1 of the n; split conformal
    prediction, Papadopoulos et al. 2002.

    Args:
        years: (N,) true ages of images that did not train the network, and that no rate is reported of.
        years_predicted: (N,).
        limits: `minors_passed`, and who is a teenager.

    Returns:
        None where there are too few teenagers for so small a share.
    """
    predicted = np.sort(years_predicted[limits.teenagers(years)])[::-1]
    rank = _rank(len(predicted), limits)
    return float(np.nextafter(predicted[rank - 1], np.inf)) if rank else None


def passed_range(num_teenagers: int, limits: AgeLimits) -> tuple[float, float]:
    """Return between which shares of all teenagers a chosen age lets pass, over 95 % of validation parts.

    The share above an order statistic has a beta distribution, whatever that of the predictions.

    Args:
        num_teenagers: of the validation part; enough for `choose_age`.
        limits: `minors_passed`.
    """
    rank = _rank(num_teenagers, limits)
    low, high = stats.beta.ppf([LEVEL / 2, 1 - LEVEL / 2], rank, num_teenagers + 1 - rank)
    return float(low), float(high)


def least_teenagers(limits: AgeLimits) -> int:
    """Return how many teenagers `choose_age` needs."""
    return math.ceil(1 / limits.minors_passed - 1 - 1e-9)


def _rank(num_teenagers: int, limits: AgeLimits) -> int:
    return math.floor(limits.minors_passed * (num_teenagers + 1) + 1e-9)  # 0.29 * 100 is below 29


@dataclass(frozen=True)
class ThresholdCurve:
    """How often a face is taken for the wrong side of the threshold, for every age that may be asked for.

    Attributes:
        asked: (T,) predicted age from which on a face passes as an adult, years, rising.
        false_positive_rate: (T,) share of the teenagers that pass.
        false_negative_rate: (T,) share of the adults that do not.
    """

    asked: np.ndarray
    false_positive_rate: np.ndarray
    false_negative_rate: np.ndarray


def threshold_curve(runs: Sequence[Predictions], limits: AgeLimits) -> ThresholdCurve | None:
    """Try every predicted age as the limit; rates are means over seeds.

    Returns:
        None where the test images show no teenagers, or no adults.
    """
    years = runs[0].years
    teenagers, adults = limits.teenagers(years), ~limits.minors(years)
    if not teenagers.any() or not adults.any():
        return None
    asked = np.unique(np.concatenate([[limits.threshold_age], *(run.years_predicted for run in runs)]))
    asked = np.append(asked, np.nextafter(asked[-1], np.inf))  # nobody passes
    passed = np.mean([_at_least(run.years_predicted[teenagers], asked) for run in runs], axis=0)
    refused = 1 - np.mean([_at_least(run.years_predicted[adults], asked) for run in runs], axis=0)
    return ThresholdCurve(asked, passed, refused)


def _at_least(values: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Share of the values that reach each limit."""
    return 1 - np.searchsorted(np.sort(values), limits, side="left") / len(values)


@dataclass(frozen=True)
class AgeCheck:
    """The age check of one configuration.

    Attributes:
        label: of the configuration.
        curve: every age that may be asked for; None without a teenager or an adult in the test part.
        at_threshold: where the threshold itself is asked for.
        at_challenge: where the challenge age is; None where it is not above the threshold.
        at_chosen: where each run asks for the age chosen on its validation part; None where none was chosen.
    """

    label: str
    curve: ThresholdCurve | None
    at_threshold: WrongSide
    at_challenge: WrongSide | None = None
    at_chosen: WrongSide | None = None


def check_ages(
    label: str, runs: Sequence[Predictions], limits: AgeLimits, chosen: Sequence[float] | None = None
) -> AgeCheck:
    """Judge the age check of S runs of one configuration on the same images.

    Args:
        label: of the configuration.
        runs: S of them.
        limits: the ages to ask for.
        chosen: S ages chosen on validation parts, if any were.
    """
    asked = limits.challenge_age if limits.challenge_age > limits.threshold_age else None
    return AgeCheck(
        label,
        threshold_curve(runs, limits),
        wrong_side(runs, limits, [limits.threshold_age] * len(runs)),
        None if asked is None else wrong_side(runs, limits, [asked] * len(runs)),
        None if chosen is None else wrong_side(runs, limits, chosen),
    )
