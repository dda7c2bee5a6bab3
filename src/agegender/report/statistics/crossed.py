"""Means and differences whose uncertainty is crossed over test images and training seeds.

The variance covers both another test set and another training: it is the variance over images, after averaging over
seeds, plus that over each configuration's own seeds, with Satterthwaite's degrees of freedom (1946). With a single seed
only the images vary, and a statement is about these networks, not about the method that trained them.

Letters: S seeds, N images, K configurations, J splits, M = K (K - 1) / 2 pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from agegender.report.statistics.significance import LEVEL, mcnemar


@dataclass(frozen=True)
class Mean:
    """A mean over images and seeds.

    Attributes:
        value: the mean.
        standard_error: over images and seeds together.
        degrees: of freedom of Student's t; infinite where no variance was estimated.
        num_images: number of images.
        share_degrees: degrees of freedom for hits, whose variance over images follows from their mean.
    """

    value: float
    standard_error: float
    degrees: float
    num_images: int
    share_degrees: float

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Return the two-sided interval with coverage `1 - level`; NaN without an image."""
        half = stats.t.isf(level / 2, self.degrees) * self.standard_error
        return float(self.value - half), float(self.value + half)

    def share_interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Return Wilson's interval (1927) of a share in [0, 1], for the number of images that would have this error."""
        if np.isnan(self.value):
            return 0.0, 1.0
        spread = self.value * (1 - self.value)
        number = spread / self.standard_error**2 if self.standard_error and spread else self.num_images
        z = float(stats.t.isf(level / 2, self.share_degrees))
        extra = z * z / number
        center = (self.value + extra / 2) / (1 + extra)
        half = z * np.sqrt(spread / number + extra / (4 * number)) / (1 + extra)
        return max(0.0, float(center - half)), min(1.0, float(center + half))

    def exact_share_interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Return the interval of a share near 0 or 1, of few images, or at a small level: Wilson's is too narrow there.

        Clopper & Pearson's (1934), for the number of images that would have this error and these degrees of freedom, at
        most the actual number; Korn & Graubard 1998.
        """
        if np.isnan(self.value):
            return 0.0, 1.0
        spread = self.value * (1 - self.value)
        number = float(self.num_images)
        if self.standard_error and spread:
            ratio = special.ndtri(level / 2) / special.stdtrit(self.share_degrees, level / 2)
            number = min(number, spread / self.standard_error**2) * float(ratio) ** 2
        hits = self.value * number
        misses = (1 - self.value) * number
        low = special.betaincinv(hits, misses + 1, level / 2) if self.value > 0 else 0.0
        high = special.betaincinv(hits + 1, misses, 1 - level / 2) if self.value < 1 else 1.0
        return float(low), float(high)

    def p_value(self, null: float = 0.0) -> float:
        """Return the two-sided p-value of the hypothesis that the mean is `null`."""
        if self.value == null or np.isnan(self.value):
            return 1.0
        if not self.standard_error:
            return 0.0
        return float(2 * stats.t.sf(abs(self.value - null) / self.standard_error, self.degrees))


def crossed_mean(values: np.ndarray) -> Mean:
    """Return the mean of (S, N) values of the same images under several seeds; NaN without an image.

    For hits, 0 or 1, the mean is a share; for differences of hits of one network, a difference of shares.
    """
    values = np.asarray(values, dtype=np.float64)
    return _mean(values.mean(axis=0), [values])


def crossed_difference(first: np.ndarray, second: np.ndarray) -> Mean:
    """Return the difference of two configurations' means on the same images, (S1, N) and (S2, N)."""
    first = np.asarray(first, dtype=np.float64)
    second = np.asarray(second, dtype=np.float64)
    return _mean(first.mean(axis=0) - second.mean(axis=0), [first, second])


def independent_difference(first: Mean, second: Mean) -> Mean:
    """Return the difference of two means of different images, by Welch (1947)."""
    variances = [one.standard_error**2 for one in (first, second)]
    return Mean(
        first.value - second.value,
        float(np.sqrt(sum(variances))),
        _satterthwaite(list(zip(variances, (first.degrees, second.degrees), strict=True))),
        first.num_images + second.num_images,
        _satterthwaite(list(zip(variances, (first.share_degrees, second.share_degrees), strict=True))),
    )


def crossed_estimate(of_seeds: np.ndarray, of_images: Sequence[tuple[float, float]], num_images: int) -> Mean:
    """Return the mean over seeds of an estimate whose variance over images is a sum of independent parts.

    Args:
        of_seeds: (S,) the estimate of each seed.
        of_images: variance of each part, after averaging over seeds, with its degrees of freedom.
        num_images: number of images.
    """
    parts = list(of_images)
    if len(of_seeds) > 1:
        parts.append((float(of_seeds.var(ddof=1)) / len(of_seeds), len(of_seeds) - 1.0))
    error = float(np.sqrt(sum(variance for variance, _ in parts)))
    degrees = _satterthwaite(parts)
    return Mean(float(of_seeds.mean()), error, degrees, num_images, degrees)


def _mean(of_images: np.ndarray, configurations: Sequence[np.ndarray]) -> Mean:
    """Return the mean of (N,) values with the variance of images and of each configuration's (S, N) seeds."""
    number = len(of_images)
    if number == 0:
        return Mean(np.nan, np.nan, np.inf, 0, np.inf)
    of_seeds = [
        (float(one.mean(axis=1).var(ddof=1)) / len(one), len(one) - 1.0) for one in configurations if len(one) > 1
    ]
    variance = float(of_images.var()) / number
    total = variance + sum(part for part, _ in of_seeds)
    return Mean(
        float(of_images.mean()),
        float(np.sqrt(total)),
        _satterthwaite([(variance, max(number - 1.0, 1.0)), *of_seeds]),
        number,
        _satterthwaite([(variance, np.inf), *of_seeds]),
    )


def _satterthwaite(parts: Sequence[tuple[float, float]]) -> float:
    """Return the degrees of freedom of a sum of variances, given as pairs with their own; infinite where all are 0."""
    total = sum(variance for variance, _ in parts)
    below = sum(variance**2 / degrees for variance, degrees in parts if variance)
    return total**2 / below if below else np.inf


@dataclass(frozen=True)
class PairTests:
    """A test of every two configurations, M pairs in the order of `numpy.triu_indices(K, 1)`.

    Attributes:
        difference: (M,) first minus second.
        standard_error: (M,).
        degrees: (M,) of freedom.
        p_value: (M,) two-sided, not adjusted for their number.
    """

    difference: np.ndarray
    standard_error: np.ndarray
    degrees: np.ndarray
    p_value: np.ndarray


def compare_on_images(hits: Sequence[np.ndarray]) -> PairTests:
    """Compare configurations that were tested on the same images.

    Two configurations of one seed each are compared by McNemar's exact test; where either has several seeds, by
    Student's t with the variances of images and of each configuration's own seeds. Seeds are not paired, as the same
    seed initializes different networks with different weights.

    Args:
        hits: K arrays (S_k, N), 1 where the prediction is right.
    """
    first, second = np.triu_indices(len(hits), 1)
    seeds = np.array([len(one) for one in hits])
    means = np.stack([one.mean(axis=0, dtype=np.float64) for one in hits])  # (K, N)
    images = means.shape[1]
    covariance = np.atleast_2d(np.cov(means))
    spread = covariance.diagonal()
    of_images = np.maximum(spread[first] + spread[second] - 2 * covariance[first, second], 0) / images
    of_images[np.isclose(of_images, 0, atol=1e-15)] = 0  # rounding error for equal predictions
    of_seeds = np.array(
        [one.mean(axis=1, dtype=np.float64).var(ddof=1) / len(one) if len(one) > 1 else 0.0 for one in hits]
    )
    difference = means.mean(axis=1)[first] - means.mean(axis=1)[second]
    total = of_images + of_seeds[first] + of_seeds[second]
    squares = of_seeds**2 / np.maximum(seeds - 1, 1)
    below = of_images**2 / max(images - 1, 1) + squares[first] + squares[second]
    degrees = np.divide(total**2, below, out=np.full(len(total), np.inf), where=below > 0)
    p_value = _p_values(difference, np.sqrt(total), degrees)
    single = (seeds[first] == 1) & (seeds[second] == 1)
    if single.any():
        right = means > 0.5
        only_first = np.array([int((right[j] & ~right[k]).sum()) for j, k in zip(first, second, strict=True)])
        only_second = np.array([int((right[k] & ~right[j]).sum()) for j, k in zip(first, second, strict=True)])
        p_value = np.where(single, mcnemar(only_first, only_second), p_value)
    return PairTests(difference, np.sqrt(total), degrees, p_value)


def compare_over_splits(values: np.ndarray, test_to_train: float) -> PairTests:
    """Compare configurations over repeated splits or folds: Nadeau & Bengio's corrected resampled t-test (2003).

    The training parts of the splits share most of their images, so their scores are correlated: with 1 / J alone the
    test would find differences where there are none.

    Args:
        values: (J, K) scores, J >= 2; means over the seeds of a split.
        test_to_train: number of test images divided by number of training images.
    """
    splits, number = values.shape
    first, second = np.triu_indices(number, 1)
    differences = values[:, first] - values[:, second]  # (J, M)
    error = np.sqrt((1 / splits + test_to_train) * differences.var(axis=0, ddof=1))
    degrees = np.full(len(first), splits - 1.0)
    mean = differences.mean(axis=0)
    return PairTests(mean, error, degrees, _p_values(mean, error, degrees))


def _p_values(difference: np.ndarray, error: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """Return two-sided p-values: 1 for equal means, 0 for a difference with a standard error of 0."""
    ratio = np.divide(np.abs(difference), error, out=np.full(len(error), np.inf), where=error > 0)
    return np.where(difference == 0, 1.0, 2 * stats.t.sf(ratio, degrees))


def detectable_difference(tests: PairTests, power: float = 0.8) -> float:
    """Return the true difference that a single planned comparison would detect with a probability of `power`.

    It is that of the pair with the median standard error; NaN without a pair.
    """
    if not len(tests.standard_error):
        return float("nan")
    at = int(np.argsort(tests.standard_error)[len(tests.standard_error) // 2])
    degrees = tests.degrees[at]
    quantiles = stats.t.isf(LEVEL / 2, degrees) + stats.t.isf(1 - power, degrees)
    return float(quantiles * tests.standard_error[at])
