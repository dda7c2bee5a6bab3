"""Tests and intervals against scipy, statsmodels, printed tables, and by hand."""

import warnings

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from agegender.report.statistics.significance import compare_ranks, holm, mcnemar, percentile_interval, wilson


@pytest.mark.parametrize(
    ("first", "second"), [(0, 0), (1, 0), (0, 5), (3, 3), (2, 3), (10, 25), (120, 121), (0, 40), (400, 300)]
)
def test_mcnemar_is_statsmodels_exact_one(first, second):
    oracle = statsmodels_mcnemar(np.array([[7, first], [second, 11]]), exact=True).pvalue if first + second else 1.0
    assert mcnemar(np.array(first), np.array(second)) == pytest.approx(oracle, rel=1e-9)
    assert mcnemar(np.array(second), np.array(first)) == pytest.approx(oracle, rel=1e-9)


def test_mcnemar_by_hand():
    # 1 of 5 by a fair coin, both sides: 2 * (1 + 5) / 32; 0 of 3: 2 / 8; a tie: 1.
    p_values = mcnemar(np.array([[1, 0], [2, 0]]), np.array([[4, 3], [2, 0]]))
    assert p_values == pytest.approx(np.array([[12 / 32, 2 / 8], [1, 1]]))


@pytest.mark.parametrize(
    "p_values",
    [
        [0.01, 0.04, 0.03],
        [0.02, 0.02, 0.02],
        [0.04, 0.01, 0.01, 0.04, 0.5, 1.0],
        [0.6, 0.7],
        [0.0, 0.0, 1.0],
        [0.03],
        list(np.random.default_rng(0).random(50) ** 3),
    ],
)
def test_holm_is_that_of_statsmodels(p_values):
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1], abs=1e-12)


def test_holm_by_hand():
    # Sorted 0.01 * 3, 0.03 * 2, 0.04 * 1, none smaller than the one before it.
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_holm_of_nothing_is_nothing():
    assert holm([]).shape == (0,)


@pytest.mark.parametrize(("hits", "total"), [(0, 1), (0, 20), (20, 20), (1, 1), (7, 20), (10, 20), (4_000, 4_821)])
def test_wilson_is_that_of_scipy_and_statsmodels(hits, total):
    oracle = stats.binomtest(hits, total).proportion_ci(method="wilson")
    assert wilson(hits, total) == pytest.approx(tuple(oracle), abs=1e-12)
    assert wilson(hits, total) == pytest.approx(proportion_confint(hits, total, method="wilson"), abs=1e-12)


def test_wilson_takes_a_mean_over_seeds():
    assert wilson(12.5, 30) == pytest.approx(proportion_confint(12.5, 30, method="wilson"), abs=1e-12)


def test_wilson_without_an_image_says_nothing():
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("total", [1, 3, 50, 333, 5_000])
def test_wilson_stays_in_range(total):
    assert 0 <= wilson(0, total)[0] <= 1e-15
    assert 1 - 1e-15 <= wilson(total, total)[1] <= 1


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_percentile_interval_leaves_two_and_a_half_percent_on_each_side(seed):
    values = np.random.default_rng(seed).permutation(1001).reshape(1, -1) * [[1.0], [-2.0]]  # 0 to 1000, and twice less
    low, high = percentile_interval(values)
    assert low == pytest.approx([25, -1950])
    assert high == pytest.approx([975, -50])


def test_draws_without_a_value_are_left_out_of_an_interval():
    low, high = percentile_interval(
        np.array([[np.nan, 1.0, 2.0, 3.0, np.nan], [np.nan] * 5, [1.0, 1.0, 1.0, 1.0, 1.0]])
    )
    assert low == pytest.approx([1.05, np.nan, 1.0], nan_ok=True)
    assert high == pytest.approx([2.95, np.nan, 1.0], nan_ok=True)


def ranks_by_hand(row: np.ndarray) -> list[float]:
    """1 is best; equals share the mean of their places."""
    return [1 + sum(other > value for other in row) + (sum(other == value for other in row) - 1) / 2 for value in row]


@pytest.mark.parametrize(
    ("seed", "num_blocks", "number", "levels"), [(0, 5, 3, 1000), (1, 10, 6, 1000), (2, 8, 4, 3), (3, 6, 5, 2)]
)
def test_ranks_are_compared_as_scipy_does_ties_included(seed, num_blocks, number, levels):
    values = np.random.default_rng(seed).integers(levels, size=(num_blocks, number)) / levels
    found = compare_ranks(values)
    assert found.p_value == pytest.approx(stats.friedmanchisquare(*values.T).pvalue, rel=1e-9)
    assert found.mean_ranks == pytest.approx(np.mean([ranks_by_hand(row) for row in values], axis=0))
    assert found.num_blocks == num_blocks


def test_ranks_and_critical_difference_of_demsars_example():
    # Demšar 2006, Table 6 and section 3.2.2: 14 data sets, 4 classifiers. He ranks 0.975 and 0.975 of the last but one
    # 2 and 3: equal in print only.
    table = np.array(
        [
            [0.763, 0.768, 0.771, 0.798],
            [0.599, 0.591, 0.590, 0.569],
            [0.954, 0.971, 0.968, 0.967],
            [0.628, 0.661, 0.654, 0.657],
            [0.882, 0.888, 0.886, 0.898],
            [0.936, 0.931, 0.916, 0.931],
            [0.661, 0.668, 0.609, 0.685],
            [0.583, 0.583, 0.563, 0.625],
            [0.775, 0.838, 0.866, 0.875],
            [1.000, 1.000, 1.000, 1.000],
            [0.940, 0.962, 0.965, 0.962],
            [0.619, 0.666, 0.614, 0.669],
            [0.972, 0.981, 0.9751, 0.975],
            [0.957, 0.978, 0.946, 0.970],
        ]
    )
    found = compare_ranks(table)
    assert found.mean_ranks == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=5e-4)
    assert found.critical_difference == pytest.approx(1.25, abs=5e-3)  # Nemenyi, 5 %
    # His 9.28 is not corrected for ties: three pairs, 2^3 - 2 each, and all four once, 4^3 - 4.
    assert stats.chi2.isf(found.p_value, 3) == pytest.approx(9.28 / (1 - 78 / (14 * (4**3 - 4))), abs=0.01)


@pytest.mark.parametrize(
    ("number", "q"),
    list(enumerate([1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164], start=2)),
)
def test_the_critical_difference_is_that_of_demsars_table_5(number, q):
    values = np.full((7, number), 0.5)  # it depends on their numbers alone
    expected = q * np.sqrt(number * (number + 1) / (6 * 7))
    assert compare_ranks(values).critical_difference == pytest.approx(expected, rel=5e-4)


def test_configurations_that_are_always_equal_have_equal_ranks():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = compare_ranks(np.full((5, 4), 0.7))
    assert found.mean_ranks.tolist() == [2.5] * 4
    assert found.p_value == 1.0


def test_a_configuration_that_always_wins_has_rank_one():
    values = np.array([[0.9, 0.5, 0.6], [0.8, 0.3, 0.2], [0.7, 0.6, 0.5], [0.9, 0.1, 0.2], [0.6, 0.5, 0.4]])
    assert compare_ranks(values).mean_ranks.tolist() == [1.0, 2.4, 2.6]
