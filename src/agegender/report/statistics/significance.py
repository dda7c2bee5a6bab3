"""Tests and intervals: McNemar, Holm, Friedman and Nemenyi, Wilson, bootstrap percentiles."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

LEVEL = 0.05  # of every test; intervals cover 95 %
MIN_BLOCKS = 5  # splits or folds that a comparison of ranks needs


def mcnemar(first_only: np.ndarray, second_only: np.ndarray) -> np.ndarray:
    """Test whether two classifiers err equally often, by the images that only one gets right; McNemar 1947, exact.

    Args:
        first_only: int array, images on which only the first is right.
        second_only: int array of the same shape.

    Returns:
        Two-sided p-values; 1 where they never differ.
    """
    total = first_only + second_only
    return np.minimum(1.0, 2 * stats.binom.cdf(np.minimum(first_only, second_only), total, 0.5))


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Adjust p-values (M,) for multiple testing by the step-down method; Holm 1979."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, steps)
    return adjusted


def wilson(hits: float, total: int) -> tuple[float, float]:
    """Return the 95 % interval of a share; Wilson 1927.

    Args:
        hits: number of hits; may be a mean over seeds.
        total: number of trials; for 0 the interval is [0, 1].
    """
    if total == 0:
        return 0.0, 1.0
    z = stats.norm.ppf(1 - LEVEL / 2)
    share = hits / total
    spread = z * z / total
    center = (share + spread / 2) / (1 + spread)
    half = z * np.sqrt(share * (1 - share) / total + spread / (4 * total)) / (1 + spread)
    return max(0.0, float(center - half)), min(1.0, float(center + half))


def percentile_interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of the 95 % percentile interval of bootstrap values, (..., D); Efron 1979.

    NaN values are left out; the ends are NaN where all values are.
    """
    ends = [100 * LEVEL / 2, 100 * (1 - LEVEL / 2)]
    if not np.isnan(values).any():
        low, high = np.percentile(values, ends, axis=-1)
        return low, high
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
        low, high = np.nanpercentile(values, ends, axis=-1)
    return low, high


@dataclass(frozen=True)
class Ranks:
    """Friedman's test, and Nemenyi's critical difference; Demšar 2006.

    Attributes:
        mean_ranks: (K,), 1 is best.
        p_value: of Friedman's test that all are equal.
        critical_difference: of two mean ranks, at 5 %.
        num_blocks: splits or folds.
    """

    mean_ranks: np.ndarray
    p_value: float
    critical_difference: float
    num_blocks: int


def compare_ranks(values: np.ndarray) -> Ranks:
    """Compare the ranks of K >= 3 configurations over B splits or folds.

    Args:
        values: (B, K), higher is better.
    """
    num_blocks, number = values.shape
    ranks = stats.rankdata(-values, axis=1)
    ties = np.allclose(ranks, ranks[:, :1])
    p_value = 1.0 if ties else float(stats.friedmanchisquare(*values.T).pvalue)
    q = stats.studentized_range.isf(LEVEL, number, np.inf) / np.sqrt(2)
    difference = q * np.sqrt(number * (number + 1) / (6 * num_blocks))
    return Ranks(ranks.mean(axis=0), p_value, float(difference), num_blocks)
