"""Tests crossed over images and seeds: by hand, against scipy, and on simulated data whose truth is known."""

import numpy as np
import pytest
from scipy import stats
from simulated_hits import crossed, mcnemar_of_most_seeds, rejection_rate, simulate

from agegender.report.statistics.crossed import (
    compare_on_images,
    compare_over_splits,
    crossed_difference,
    crossed_mean,
    detectable_difference,
    independent_difference,
)
from agegender.report.statistics.significance import wilson

HITS = np.array([[1, 1, 0, 1, 0, 1], [1, 0, 0, 1, 0, 1], [1, 1, 1, 1, 0, 1]])


def test_the_variance_is_that_of_images_plus_that_of_seeds_by_hand():
    mean = crossed_mean(HITS)
    images = np.array([1, 2 / 3, 1 / 3, 1, 0, 1]).var() / 6
    seeds = np.var([4 / 6, 3 / 6, 5 / 6], ddof=1) / 3
    assert mean.value == pytest.approx(2 / 3)
    assert mean.standard_error == pytest.approx(np.sqrt(images + seeds))
    assert mean.degrees == pytest.approx((images + seeds) ** 2 / (images**2 / 5 + seeds**2 / 2))


def test_a_share_of_one_seed_has_wilsons_interval():
    for hits in ([1, 1, 0, 1, 0, 1, 1, 1], [0] * 9, [1] * 4, [1]):
        assert crossed_mean(np.array([hits])).share_interval() == pytest.approx(wilson(sum(hits), len(hits)))


def test_a_share_without_an_image_has_the_whole_range():
    empty = crossed_mean(np.empty((2, 0)))
    assert np.isnan(empty.value) and empty.share_interval() == (0.0, 1.0) and empty.p_value() == 1.0


def test_an_interval_of_values_of_one_seed_is_students():
    values = np.array([[3.0, 4.5, 1.0, 7.0, 2.0]])
    mean = crossed_mean(values)
    expected = stats.t.interval(0.95, 4, loc=3.5, scale=values.std() / np.sqrt(5))
    assert mean.interval() == pytest.approx(expected)


def test_images_of_their_own_are_compared_by_welch():
    random = np.random.default_rng(0)
    one = random.normal(0, 1, (1, 400))
    other = random.normal(0.1, 2, (1, 300))
    found = independent_difference(crossed_mean(one), crossed_mean(other))
    assert found.p_value() == pytest.approx(stats.ttest_ind(one[0], other[0], equal_var=False).pvalue, rel=0.02)


def test_a_paired_difference_does_not_count_what_both_share():
    first = HITS
    second = HITS.copy()
    second[:, 0] = 0
    found = crossed_difference(first, second)
    assert found.value == pytest.approx(1 / 6)
    same = crossed_difference(HITS[:1], HITS[:1])
    assert (same.value, same.standard_error, same.p_value()) == (0.0, 0.0, 1.0)


def test_pairs_are_what_a_pair_alone_gives():
    random = np.random.default_rng(1)
    hits = [(random.random((seeds, 500)) < 0.6).astype(np.float32) for seeds in (3, 5, 2)]
    tests = compare_on_images(hits)
    for at, (j, k) in enumerate(((0, 1), (0, 2), (1, 2))):
        alone = crossed_difference(hits[j], hits[k])
        assert tests.difference[at] == pytest.approx(alone.value)
        assert tests.p_value[at] == pytest.approx(alone.p_value(), rel=0.02)  # variances with N and N - 1


def test_two_networks_of_one_seed_are_compared_by_mcnemar():
    first = np.ones(100)
    second = np.ones(100)
    first[:4] = 0
    second[4:20] = 0
    tests = compare_on_images([first[None], second[None]])
    assert tests.p_value == pytest.approx([stats.binomtest(4, 20).pvalue])


def test_seeds_need_no_numbers_in_common():
    random = np.random.default_rng(2)
    image = random.normal(0, 1, 3000)
    better, worse = ((image + random.normal(0, 0.5, (3, 3000)) > at).astype(float) for at in (-0.6, -0.3))
    assert compare_on_images([better, worse]).p_value[0] < 1e-6
    assert compare_on_images([better, better[::-1]]).p_value[0] == 1.0


def test_the_corrected_test_over_splits_by_hand():
    values = np.array([[0.60, 0.58], [0.63, 0.60], [0.61, 0.60], [0.59, 0.585], [0.62, 0.59]])
    tests = compare_over_splits(values, test_to_train=0.3)
    differences = values[:, 0] - values[:, 1]
    error = np.sqrt((1 / 5 + 0.3) * differences.var(ddof=1))
    assert tests.standard_error == pytest.approx([error])
    assert tests.p_value == pytest.approx([2 * stats.t.sf(differences.mean() / error, 4)])
    uncorrected = stats.ttest_rel(values[:, 0], values[:, 1]).pvalue
    assert tests.p_value[0] > uncorrected


def test_equal_splits_differ_in_nothing():
    tests = compare_over_splits(np.full((5, 3), 0.6), test_to_train=0.3)
    assert (tests.p_value == 1).all()


def test_a_detectable_difference_is_found_with_its_power():
    random = np.random.default_rng(3)
    hits = [(random.random((3, 2000)) < 0.6).astype(np.float32) for _ in range(2)]
    tests = compare_on_images(hits)
    found = detectable_difference(tests)
    shifted = random.normal(found, tests.standard_error[0], 20_000)
    power = (stats.t.sf(shifted / tests.standard_error[0], tests.degrees[0]) < 0.025).mean()
    assert power == pytest.approx(0.8, abs=0.02)
    assert np.isnan(detectable_difference(compare_on_images(hits[:1])))


def test_simulated_networks_disagree_as_they_should():
    first, second = simulate(np.random.default_rng(0), (2, 2), 0.0, images=200_000)
    assert first.mean() == pytest.approx(0.62, abs=0.005)
    assert (first[0] != first[1]).mean() == pytest.approx(0.205, abs=0.005)
    assert (first[0] != second[0]).mean() == pytest.approx(0.24, abs=0.005)


@pytest.mark.parametrize("seeds", [(3,) * 5, (5,) * 5, (3, 4, 5, 6, 7)])
def test_configurations_that_are_equal_are_seldom_told_apart_though_seeds_differ(seeds):
    rate = rejection_rate(crossed, seeds, 1.0, number=200)
    assert rate <= 0.05 + 2.6 * np.sqrt(0.05 * 0.95 / 200)  # 99.5 % of what a rate of 5 % gives


def test_the_former_test_told_equal_configurations_apart():
    assert rejection_rate(mcnemar_of_most_seeds, (3,) * 5, 1.0, number=100) > 0.15


def test_more_seeds_find_more():
    few, many = (rejection_rate(crossed, (count,) * 2, 0.3, number=150, gain=1.5) for count in (3, 5))
    assert 0.35 < few < many


def test_splits_that_share_training_images_are_corrected_for():
    # Two equal methods; their difference on a split is half of what all splits share, half of the split's own.
    random = np.random.default_rng(4)
    test_to_train = 0.25
    splits = 5
    shared = test_to_train / (1 + test_to_train)  # the correlation that Nadeau and Bengio assume
    corrected = uncorrected = 0
    for _ in range(2_000):
        common = random.standard_normal((1, 2))
        own = random.standard_normal((splits, 2))
        values = np.sqrt(shared) * common + np.sqrt(1 - shared) * own
        corrected += compare_over_splits(values, test_to_train).p_value[0] < 0.05
        uncorrected += stats.ttest_rel(values[:, 0], values[:, 1]).pvalue < 0.05
    assert corrected / 2_000 == pytest.approx(0.05, abs=0.015)
    assert uncorrected / 2_000 > 0.12
