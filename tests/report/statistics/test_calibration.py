"""Calibration errors by hand and on calibrated predictions, whose true error is 0."""

import numpy as np
import pytest
from made_runs import make_predictions

from agegender.report.statistics.calibration import (
    bin_of_confidence,
    brier,
    expected_calibration_error,
    negative_log_likelihood,
    rms_calibration_error,
    squared_calibration_error,
)
from agegender.report.statistics.scores import scores


def calibrated(random: np.random.Generator, size: int = 600) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities (N, 8), true classes drawn from them, and whether the likeliest class is the true one."""
    p = random.dirichlet(np.full(8, 0.3), size)
    true = (random.random((size, 1)) > p.cumsum(axis=1)).sum(axis=1).clip(max=7)
    return p, true, p.argmax(axis=1) == true


def test_a_confidence_at_the_end_of_a_bin_is_in_that_bin_as_in_guo_et_al():
    # Guo et al. 2017: ((m - 1) / 15, m / 15]. torchmetrics has [m / 15, (m + 1) / 15), and 1.0 in a bin of its own.
    p = np.array([[0.2] * 5, [0.4, 0.4, 0.2, 0, 0], [0.6, 0.4, 0, 0, 0], [0.8, 0.2, 0, 0, 0], [1.0, 0, 0, 0, 0]])
    _, bins = bin_of_confidence(p.astype(np.float32))
    assert bins.tolist() == [2, 5, 8, 11, 14]


def test_a_confidence_just_above_or_below_an_end_is_on_that_side_of_it():
    p = np.array([[0.200001, 0.1], [0.199999, 0.1], [0.400001, 0.1], [0.399999, 0.1], [0.999999, 0.000001]])
    _, bins = bin_of_confidence(p.astype(np.float32))
    assert bins.tolist() == [3, 2, 6, 5, 14]


def test_the_calibration_error_at_the_ends_of_bins_by_hand():
    # 0.6 (a hit) and 0.62 (a miss) are in two bins: 0.4 / 3 + 0.62 / 3; 1.0 (a hit) is in the last, without error.
    p = [[0.6, 0.4], [0.62, 0.38], [1.0, 0.0]]
    told = make_predictions([4, 4, 4], gender=[0, 1, 0], gender_predicted=[0, 0, 0], p_gender=p)
    assert scores(told)["gender_calibration_error"] == pytest.approx([(0.4 + 0.62) / 3], abs=1e-7)


def test_a_hit_and_a_miss_of_the_last_bin_cancel_out_whether_or_not_they_are_certain():
    p = [[1.0, 0.0], [0.95, 0.05]]
    told = make_predictions([4, 4], gender=[0, 1], gender_predicted=[0, 0], p_gender=p)
    assert scores(told)["gender_calibration_error"] == pytest.approx([1.95 / 2 - 1 / 2], abs=1e-6)


def test_probabilities_that_are_equal_once_rounded_count_for_the_class_that_was_predicted():
    p = [[0, 0, 0, 0.4, 0.4, 0.2, 0, 0]] * 2  # written with 6 decimals; the network said 0.39999996 and 0.40000004
    assert scores(make_predictions([4, 4], p_group=p))["age_calibration_error"] == pytest.approx([0.6])
    told = make_predictions([4, 4], gender=1, p_gender=[[0.5, 0.5], [0.48, 0.52]])
    assert scores(told)["gender_calibration_error"] == pytest.approx([(0.5 + 0.48) / 2])


def test_the_debiased_squared_error_of_calibrated_predictions_averages_to_zero_and_ece_does_not():
    random = np.random.default_rng(0)
    made = [calibrated(random) for _ in range(600)]
    squares = np.array([squared_calibration_error(p, hits) for p, _, hits in made])
    standard_error = squares.std(ddof=1) / np.sqrt(len(squares))
    assert abs(squares.mean()) < 3 * standard_error
    assert standard_error < 1.2e-4  # an RMS error of 2 points would stand out
    plain = np.array([expected_calibration_error(p, hits) for p, _, hits in made])
    assert plain.min() > 0.01 and plain.mean() > 0.03


def test_the_debiased_error_of_a_network_ten_points_too_sure_is_ten_points():
    random = np.random.default_rng(1)
    found = []
    for _ in range(200):
        confidence = random.uniform(0.6, 1.0, 1000)
        p = np.stack([confidence, 1 - confidence], axis=1)
        found.append(squared_calibration_error(p, random.random(1000) < confidence - 0.1))
    found = np.array(found)
    assert abs(found.mean() - 0.1**2) < 3 * found.std() / np.sqrt(len(found))


def test_the_debiased_error_by_hand():
    # Two bins of two images: gaps -0.6 and 0.3, then -0.8 and 0.1. A bin's square is the product of its two.
    p = np.array([[0.6, 0.4], [0.7, 0.3], [0.8, 0.2], [0.9, 0.1]])
    hits = np.array([False, True, False, True])
    assert squared_calibration_error(p, hits) == pytest.approx((-0.6 * 0.3 + -0.8 * 0.1) / 2)
    assert rms_calibration_error(p, hits) == 0.0
    assert rms_calibration_error(p[[0, 1]], np.array([False, False])) == pytest.approx(np.sqrt(0.6 * 0.7))


def test_equal_confidences_share_a_bin_whatever_the_order_of_the_images():
    p = np.full((90, 2), 0.5)
    hits = np.arange(90) < 45  # sorted by their labels, as files may be
    p[80:] = 0.9, 0.1
    found = squared_calibration_error(p, hits)
    order = np.random.default_rng(2).permutation(90)
    assert squared_calibration_error(p[order], hits[order]) == pytest.approx(found)
    of_eighty = (45 / 80 - 0.5) ** 2 - (hits[:80] - 0.5).var(ddof=1) / 80
    assert found == pytest.approx((80 * of_eighty + 10 * 0.9**2) / 90)


def test_the_debiased_error_of_one_image_is_not_known():
    assert np.isnan(rms_calibration_error(np.array([[0.7, 0.3]]), np.array([True])))


def test_the_brier_score_is_two_at_worst_and_zero_at_best():
    p = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    assert brier(p, np.array([0, 0, 0])) == pytest.approx([0.0, 2.0, 0.5])


def test_a_probability_that_its_file_rounds_to_zero_counts_as_half_of_the_last_decimal():
    p = np.array([[1.0, 0.0], [0.75, 0.25]], dtype=np.float32)
    assert negative_log_likelihood(p, np.array([1, 1])) == pytest.approx([-np.log(5e-7), -np.log(0.25)])
