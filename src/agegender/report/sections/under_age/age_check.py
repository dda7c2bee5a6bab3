"""An age check by predicted years: error rates on both sides of a legal age, and the predicted age to require.

Letters: S seeds, N images, T ages that may be required.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from agegender.records.predictions import Predictions
from agegender.report.statistics.age_limits import AgeLimits
from agegender.report.statistics.crossed import Mean, crossed_mean
from agegender.report.statistics.significance import LEVEL


@dataclass(frozen=True)
class WrongSide:
    """Shares of faces that an age check puts on the wrong side of the threshold.

    Attributes:
        required_ages: predicted age at which a face passes as an adult, in years; one per seed.
        minors: share of all minors that pass.
        teenagers: share of the minors of 13 years or more that pass.
        adults: share of the adults that do not pass.
    """

    required_ages: tuple[float, ...]
    minors: Mean
    teenagers: Mean
    adults: Mean


def wrong_side(runs: Sequence[Predictions], limits: AgeLimits, required_ages: Sequence[float]) -> WrongSide:
    """Measure who passes, where each run requires its own age.

    Args:
        runs: S of one configuration, on the same images.
        limits: who is a minor.
        required_ages: one per run, in years.
    """
    years = runs[0].years
    minors = limits.minors(years)
    passed = np.stack([run.years_predicted >= age for run, age in zip(runs, required_ages, strict=True)])  # (S, N)
    return WrongSide(
        tuple(required_ages),
        crossed_mean(passed[:, minors]),
        crossed_mean(passed[:, limits.teenagers(years)]),
        crossed_mean(~passed[:, ~minors]),
    )


def choose_age(years: np.ndarray, years_predicted: np.ndarray, limits: AgeLimits) -> float | None:
    """Choose the lowest age that a new teenager reaches with a probability of at most `minors_passed`.

    Split conformal prediction, Papadopoulos et al. 2002: of n teenagers and a new one, each is equally likely to have
    the k-th highest prediction. So the age just above the k-th highest of the n is reached by k / (n + 1) of new ones
    on average, and by k - 1 of the n.

    Args:
        years: (N,) true ages of images that are neither in the training part nor in the test part.
        years_predicted: (N,).
        limits: `minors_passed`, and who is a teenager.

    Returns:
        None where there are too few teenagers for so small a share.
    """
    predicted = np.sort(years_predicted[limits.teenagers(years)])[::-1]
    rank = _rank(len(predicted), limits)
    return float(np.nextafter(predicted[rank - 1], np.inf)) if rank else None


def passed_range(num_teenagers: int, limits: AgeLimits) -> tuple[float, float]:
    """Return the range of the share of all teenagers that pass a chosen age, over 95 % of validation parts.

    The share above an order statistic has a beta distribution, whatever the distribution of the predictions.

    Args:
        num_teenagers: in the validation part; enough for `choose_age`.
        limits: `minors_passed`.
    """
    rank = _rank(num_teenagers, limits)
    low, high = stats.beta.ppf([LEVEL / 2, 1 - LEVEL / 2], rank, num_teenagers + 1 - rank)
    return float(low), float(high)


def min_teenagers(limits: AgeLimits) -> int:
    """Return how many teenagers `choose_age` needs at least."""
    return math.ceil(1 / limits.minors_passed - 1 - 1e-9)


def _rank(num_teenagers: int, limits: AgeLimits) -> int:
    return math.floor(limits.minors_passed * (num_teenagers + 1) + 1e-9)  # 0.29 * 100 is 28.999...


@dataclass(frozen=True)
class ThresholdCurve:
    """Error rates of the age check for every age that may be required.

    Attributes:
        required_ages: (T,) predicted age at which a face passes as an adult, in years, ascending.
        false_positive_rate: (T,) share of the teenagers that pass.
        false_negative_rate: (T,) share of the adults that do not.
    """

    required_ages: np.ndarray
    false_positive_rate: np.ndarray
    false_negative_rate: np.ndarray


def threshold_curve(runs: Sequence[Predictions], limits: AgeLimits) -> ThresholdCurve | None:
    """Compute the error rates with every predicted age as the required one; rates are means over seeds.

    Returns:
        None where the test images show no teenagers, or no adults.
    """
    years = runs[0].years
    teenagers = limits.teenagers(years)
    adults = ~limits.minors(years)
    if not teenagers.any() or not adults.any():
        return None
    required_ages = np.unique(np.concatenate([[limits.threshold_age], *(run.years_predicted for run in runs)]))
    required_ages = np.append(required_ages, np.nextafter(required_ages[-1], np.inf))  # nobody passes
    passed = np.mean([_at_least(run.years_predicted[teenagers], required_ages) for run in runs], axis=0)
    refused = 1 - np.mean([_at_least(run.years_predicted[adults], required_ages) for run in runs], axis=0)
    return ThresholdCurve(required_ages, passed, refused)


def _at_least(values: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Return the share of the values that reach each limit."""
    return 1 - np.searchsorted(np.sort(values), limits, side="left") / len(values)


@dataclass(frozen=True)
class AgeCheck:
    """The age check of one configuration.

    Attributes:
        label: of the configuration.
        curve: error rates for every required age; None without a teenager or an adult in the test part.
        at_threshold: shares with the threshold as the required age.
        at_challenge: shares with the challenge age; None where that is not above the threshold.
        at_chosen: shares with the age that was chosen on the validation part of each run; None where none was chosen.
    """

    label: str
    curve: ThresholdCurve | None
    at_threshold: WrongSide
    at_challenge: WrongSide | None = None
    at_chosen: WrongSide | None = None


def check_ages(
    label: str, runs: Sequence[Predictions], limits: AgeLimits, chosen: Sequence[float] | None = None
) -> AgeCheck:
    """Evaluate the age check of S runs of one configuration on the same images.

    Args:
        label: of the configuration.
        runs: S of them.
        limits: the threshold and the challenge age.
        chosen: S ages that were chosen on validation parts; None if there are none.
    """
    challenge_age = limits.challenge_age if limits.challenge_age > limits.threshold_age else None
    return AgeCheck(
        label,
        threshold_curve(runs, limits),
        wrong_side(runs, limits, [limits.threshold_age] * len(runs)),
        None if challenge_age is None else wrong_side(runs, limits, [challenge_age] * len(runs)),
        None if chosen is None else wrong_side(runs, limits, chosen),
    )
