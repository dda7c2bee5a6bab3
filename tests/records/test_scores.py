"""Formulas by hand, against scikit-learn and torchmetrics, and on calibrated predictions, whose true error is 0."""

import warnings

import numpy as np
import pytest
import torch
from made_runs import CASES
from sklearn.metrics import cohen_kappa_score, confusion_matrix
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassCalibrationError,
    MulticlassConfusionMatrix,
    MulticlassF1Score,
)
from torchmetrics.functional import mean_absolute_error

from agegender.records.predictions import Predictions
from agegender.records.scores import (
    absolute_error,
    accuracy,
    balanced_accuracy,
    bin_of_confidence,
    brier,
    confusion,
    expected_calibration_error,
    kappa,
    macro_f1,
    negative_log_likelihood,
    one_off_accuracy,
    rms_calibration_error,
    squared_calibration_error,
)


def matrix_of(made: Predictions) -> np.ndarray:
    return confusion(made.group, predicted=made.group_predicted, num_classes=8)


@pytest.mark.parametrize("case", CASES)
def test_the_scores_of_a_part_are_those_of_torchmetrics(case: str) -> None:
    made = CASES[case]
    predicted = torch.from_numpy(made.group_predicted)
    true = torch.from_numpy(made.group)
    matrix = matrix_of(made)
    assert matrix.tolist() == MulticlassConfusionMatrix(8)(predicted, true).tolist()
    assert accuracy(matrix) == pytest.approx(MulticlassAccuracy(8, average="micro")(predicted, true).item())
    recalls = MulticlassAccuracy(8, average=None)(predicted, true)[true.unique()]  # ours: of the groups that occur
    assert balanced_accuracy(matrix) == pytest.approx(recalls.mean().item())
    assert macro_f1(matrix) == pytest.approx(MulticlassF1Score(8, average="macro")(predicted, true).item())
    years = torch.from_numpy(made.years)
    years_predicted = torch.from_numpy(made.years_predicted.astype(np.float32))
    error = absolute_error(made.years, predicted=made.years_predicted).mean()
    assert error == pytest.approx(mean_absolute_error(years_predicted, years).item(), rel=1e-5, abs=1e-6)
    ece = MulticlassCalibrationError(8, n_bins=15, norm="l1")(torch.from_numpy(made.p_group), true).item()
    assert expected_calibration_error(made.p_group, hits=made.hits("age")) == pytest.approx(ece, abs=2e-6)


@pytest.mark.parametrize("case", ["random", "few", "groups that do not occur"])
def test_the_confusion_matrix_and_kappa_are_scikit_learns(case: str) -> None:
    made = CASES[case]
    labels = list(range(8))
    assert (matrix_of(made) == confusion_matrix(made.group, made.group_predicted, labels=labels)).all()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of classes that do not occur
        expected = cohen_kappa_score(made.group, made.group_predicted, labels=labels, weights="quadratic")
    assert kappa(matrix_of(made)) == pytest.approx(expected)


def test_true_classes_are_in_rows() -> None:
    matrix = confusion(np.array([0, 0, 1]), predicted=np.array([2, 2, 1]), num_classes=3)
    assert matrix.tolist() == [[0, 0, 2], [0, 1, 0], [0, 0, 0]]


def test_the_scores_of_a_confusion_matrix_by_hand() -> None:
    # Classes 0 and 2 occur, 0, 1 and 3 are predicted.
    matrix = np.array([[3, 1, 0, 0], [0, 0, 0, 0], [0, 1, 0, 3], [0, 0, 0, 0]])
    assert accuracy(matrix) == pytest.approx(3 / 8)
    assert one_off_accuracy(matrix) == 1
    assert balanced_accuracy(matrix) == pytest.approx((3 / 4 + 0) / 2)
    assert macro_f1(matrix) == pytest.approx((6 / 7 + 0 + 0 + 0) / 4)


def test_the_other_end_of_the_groups_is_not_one_off() -> None:
    matrix = confusion(np.array([0, 0, 7, 3, 3]), predicted=np.array([7, 1, 6, 5, 3]), num_classes=8)
    assert one_off_accuracy(matrix) == pytest.approx(3 / 5)


def test_several_confusion_matrices_are_scored_at_once() -> None:
    matrices = np.stack([matrix_of(made) for made in CASES.values()])
    for score in (accuracy, one_off_accuracy, balanced_accuracy, macro_f1, kappa):
        assert score(matrices) == pytest.approx([score(matrix) for matrix in matrices])


def test_kappa_is_not_a_number_where_truth_and_prediction_are_one_class() -> None:
    assert np.isnan(kappa(np.array([[0, 0], [0, 3]])))


def test_kappa_of_two_groups_by_hand() -> None:
    # Cohen 1968: observed 2 of 10 off by one; by chance 6 * 4 / 10 + 4 * 6 / 10 = 4.8: 1 - 2 / 4.8.
    assert kappa(np.array([[5.0, 1.0], [1.0, 3.0]])) == pytest.approx(1 - 2 / 4.8)


def test_the_absolute_error_is_the_distance_in_years() -> None:
    found = absolute_error(np.array([20.0, 30.0]), predicted=np.array([25.5, 29.0]))
    assert found.tolist() == [5.5, 1.0]


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
    found = expected_calibration_error(np.array(p, dtype=np.float32), hits=np.array([True, False, True]))
    assert found == pytest.approx((0.4 + 0.62) / 3, abs=1e-7)


def test_a_hit_and_a_miss_of_the_last_bin_cancel_out_whether_or_not_they_are_certain():
    p = [[1.0, 0.0], [0.95, 0.05]]
    found = expected_calibration_error(np.array(p, dtype=np.float32), hits=np.array([True, False]))
    assert found == pytest.approx(1.95 / 2 - 1 / 2, abs=1e-6)


def test_the_debiased_squared_error_of_calibrated_predictions_averages_to_zero_and_ece_does_not():
    random = np.random.default_rng(0)
    made = [calibrated(random) for _ in range(600)]
    squares = np.array([squared_calibration_error(p, hits=hits) for p, _, hits in made])
    standard_error = squares.std(ddof=1) / np.sqrt(len(squares))
    assert abs(squares.mean()) < 3 * standard_error
    assert standard_error < 1.2e-4  # an RMS error of 2 points would stand out
    plain = np.array([expected_calibration_error(p, hits=hits) for p, _, hits in made])
    assert plain.min() > 0.01 and plain.mean() > 0.03


def test_the_debiased_error_of_a_network_ten_points_too_sure_is_ten_points():
    random = np.random.default_rng(1)
    found = []
    for _ in range(200):
        confidence = random.uniform(0.6, 1.0, 1000)
        p = np.stack([confidence, 1 - confidence], axis=1)
        found.append(squared_calibration_error(p, hits=random.random(1000) < confidence - 0.1))
    found = np.array(found)
    assert abs(found.mean() - 0.1**2) < 3 * found.std() / np.sqrt(len(found))


def test_the_debiased_error_by_hand():
    # Two bins of two images: gaps -0.6 and 0.3, then -0.8 and 0.1. A bin's square is the product of its two.
    p = np.array([[0.6, 0.4], [0.7, 0.3], [0.8, 0.2], [0.9, 0.1]])
    hits = np.array([False, True, False, True])
    assert squared_calibration_error(p, hits=hits) == pytest.approx((-0.6 * 0.3 + -0.8 * 0.1) / 2)
    assert rms_calibration_error(p, hits=hits) == 0.0
    assert rms_calibration_error(p[[0, 1]], hits=np.array([False, False])) == pytest.approx(np.sqrt(0.6 * 0.7))


def test_equal_confidences_share_a_bin_whatever_the_order_of_the_images():
    p = np.full((90, 2), 0.5)  # sorted by their labels, as files may be
    hits = np.arange(90) < 45
    p[80:] = 0.9, 0.1
    found = squared_calibration_error(p, hits=hits)
    order = np.random.default_rng(2).permutation(90)
    assert squared_calibration_error(p[order], hits=hits[order]) == pytest.approx(found)
    of_eighty = (45 / 80 - 0.5) ** 2 - (hits[:80] - 0.5).var(ddof=1) / 80
    assert found == pytest.approx((80 * of_eighty + 10 * 0.9**2) / 90)


def test_the_debiased_error_of_one_image_is_not_known():
    assert np.isnan(rms_calibration_error(np.array([[0.7, 0.3]]), hits=np.array([True])))


def test_the_brier_score_is_two_at_worst_and_zero_at_best():
    p = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    assert brier(p, true=np.array([0, 0, 0])) == pytest.approx([0.0, 2.0, 0.5])


def test_a_probability_that_its_file_rounds_to_zero_counts_as_half_of_the_last_decimal():
    p = np.array([[1.0, 0.0], [0.75, 0.25]], dtype=np.float32)
    assert negative_log_likelihood(p, true=np.array([1, 1])) == pytest.approx([-np.log(5e-7), -np.log(0.25)])
