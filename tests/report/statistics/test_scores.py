"""Scores against scikit-learn and torchmetrics, of the images as they are and of images drawn anew."""

import warnings
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from made_runs import CASES, make_predictions, random_predictions
from scipy.stats import bootstrap
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    brier_score_loss,
    cohen_kappa_score,
    f1_score,
    log_loss,
    mean_absolute_error,
)
from torchmetrics.classification import MulticlassCalibrationError

from agegender.records.predictions import Predictions
from agegender.report.statistics.scores import SCORES, draws, scores


def at(predictions: Predictions, index: np.ndarray) -> Predictions:
    """The images at these positions, some perhaps several times."""
    columns = {field.name: getattr(predictions, field.name) for field in fields(predictions) if field.name != "groups"}
    return replace(predictions, **{name: values[index] for name, values in columns.items()})


def calibration_error(p: np.ndarray, true: np.ndarray) -> float:
    metric = MulticlassCalibrationError(num_classes=p.shape[1], n_bins=15, norm="l1")
    return float(metric(torch.from_numpy(p), torch.from_numpy(true)))


def exact(p: np.ndarray) -> np.ndarray:
    """Rows that sum to 1 in float64, which scikit-learn asks for."""
    return p.astype(np.float64) / p.sum(axis=1, keepdims=True, dtype=np.float64)


def debiased_error(p: np.ndarray, hits: np.ndarray) -> float:
    """Image by image: the squared mean difference of each bin is the mean of the products of all its pairs."""
    if len(hits) < 2:
        return np.nan
    gaps = sorted((float(c), float(h) - float(c)) for c, h in zip(p.max(axis=1), hits, strict=True))
    bins: list[list[float]] = [[]]
    for at, (confidence, gap) in enumerate(gaps):
        ideal = [n for n in range(1, 15) if gaps[n * len(gaps) // 15][0] == confidence]
        first_of_its_kind = at == 0 or gaps[at - 1][0] < confidence
        if ideal and first_of_its_kind and len(bins[-1]) >= 2 and len(gaps) - at >= 2:
            bins.append([])
        bins[-1].append(gap)
    total = 0.0
    for inside in bins:
        products = [one * other for j, one in enumerate(inside) for k, other in enumerate(inside) if j != k]
        total += len(inside) * sum(products) / len(products)
    return float(np.sqrt(max(total / len(gaps), 0)))


def expected(told: Predictions) -> dict[str, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of classes that do not occur
        error = np.abs(told.years - told.years_predicted)
        return {
            "age_accuracy": accuracy_score(told.group, told.group_predicted),
            "gender_accuracy": accuracy_score(told.gender, told.gender_predicted),
            "age_one_off_accuracy": np.mean(
                [abs(a - b) <= 1 for a, b in zip(told.group, told.group_predicted, strict=True)]
            ),
            "age_balanced_accuracy": balanced_accuracy_score(told.group, told.group_predicted),
            "age_macro_f1": f1_score(told.group, told.group_predicted, average="macro"),
            "age_kappa": cohen_kappa_score(
                told.group, told.group_predicted, labels=list(range(8)), weights="quadratic"
            ),
            "age_mae_years": mean_absolute_error(told.years, told.years_predicted),
            "age_cs5": np.mean([e <= 5 for e in error]),
            "age_calibration_error": calibration_error(told.p_group, told.group),
            "age_rms_calibration_error": debiased_error(told.p_group, told.hits("age")),
            "age_brier": brier_score_loss(told.group, exact(told.p_group), labels=range(8), scale_by_half=False),
            "age_nll": log_loss(told.group, np.clip(exact(told.p_group), 5e-7, 1), labels=range(8)),
            "gender_calibration_error": calibration_error(told.p_gender, told.gender),
            "gender_rms_calibration_error": debiased_error(told.p_gender, told.hits("gender")),
            "gender_brier": brier_score_loss(told.gender, exact(told.p_gender), labels=range(2), scale_by_half=False),
            "gender_nll": log_loss(told.gender, np.clip(exact(told.p_gender), 5e-7, 1), labels=range(2)),
        }


@pytest.mark.parametrize("case", CASES)
def test_each_score_is_that_of_scikit_learn_or_torchmetrics(case):
    found = scores(CASES[case])
    assert list(found) == list(SCORES)
    assert all(values.shape == (1,) and values.dtype == np.float64 for values in found.values())
    assert {key: values.item() for key, values in found.items()} == pytest.approx(
        expected(CASES[case]), abs=2e-6, nan_ok=True
    )


@pytest.mark.parametrize("case", ["random", "few", "bad", "groups that do not occur"])
def test_the_scores_of_a_draw_are_those_of_its_images_written_out_one_by_one(case):
    told = CASES[case]
    random = np.random.default_rng(5)
    indices = [random.integers(len(told), size=len(told)) for _ in range(6)]
    counts = np.zeros((6, len(told)), dtype=np.float32)
    for draw, index in zip(counts, indices, strict=True):
        for image in index:
            draw[image] += 1
    found = scores(told, counts)
    for number, index in enumerate(indices):
        drawn = {key: values[number] for key, values in found.items() if SCORES[key].has_interval}
        written_out = expected(at(told, index))
        assert drawn == pytest.approx({key: written_out[key] for key in drawn}, abs=1e-5)


def test_scores_without_an_interval_are_not_drawn():
    found = scores(CASES["random"], draws(500, 3))
    nothing = {key for key, values in found.items() if np.isnan(values).all()}
    assert nothing == {key for key, score in SCORES.items() if not score.has_interval}
    assert all(values.shape == (3,) for values in found.values())


def test_each_image_once_is_the_test_itself():
    told = CASES["random"]
    once = scores(told, np.ones((2, len(told)), dtype=np.float32))
    for key, values in scores(told).items():
        if not SCORES[key].has_interval:
            continue
        assert once[key] == pytest.approx([values[0], values[0]], rel=1e-6, abs=1e-6)  # float32: 24 bits


def test_draws_hold_as_many_images_as_the_test():
    assert (draws(37, 50).sum(axis=1) == 37).all()


def test_the_same_seed_draws_the_same_images_and_another_one_others():
    assert (draws(20, 10, seed=3) == draws(20, 10, seed=3)).all()
    assert (draws(20, 10, seed=3) != draws(20, 10, seed=4)).any()


def test_an_image_is_drawn_as_often_as_the_binomial_distribution_says():
    counts = draws(50, 4_000)
    assert counts.mean(axis=0) == pytest.approx(np.ones(50), abs=0.08)  # 5 standard errors
    assert counts.var() == pytest.approx(1 - 1 / 50, abs=0.02)
    assert (counts == 0).mean() == pytest.approx((1 - 1 / 50) ** 50, abs=0.01)


@pytest.mark.parametrize(
    ("key", "per_image"),
    [
        ("age_accuracy", lambda told: told.group == told.group_predicted),
        ("gender_accuracy", lambda told: told.gender == told.gender_predicted),
        ("age_mae_years", lambda told: np.abs(told.years - told.years_predicted)),
    ],
)
def test_the_interval_of_the_draws_is_scipys_percentile_bootstrap(key, per_image):
    told = CASES["random"]
    low, high = np.percentile(scores(told, draws(len(told), 4_000))[key], [2.5, 97.5])
    oracle = bootstrap((per_image(told).astype(float),), np.mean, method="percentile", rng=np.random.default_rng(0))
    spread = oracle.standard_error
    assert (low, high) == pytest.approx(tuple(oracle.confidence_interval), abs=0.15 * spread)


@pytest.mark.parametrize("first,second", [("age_accuracy", 7), ("age_accuracy", 8), ("gender_accuracy", 9)])
def test_differences_of_the_same_draws_are_scipys_paired_bootstrap(first, second):
    key = first
    one = CASES["random"]
    other = random_predictions(second, 500, skill=0.5)
    hits = [
        (told.group == told.group_predicted if key == "age_accuracy" else told.gender == told.gender_predicted) * 1.0
        for told in (one, other)
    ]
    counts = draws(500, 4_000)
    low, high = np.percentile(scores(one, counts)[key] - scores(other, counts)[key], [2.5, 97.5])
    oracle = bootstrap(
        tuple(hits),
        lambda a, b, axis: a.mean(axis=axis) - b.mean(axis=axis),
        paired=True,
        method="percentile",
        vectorized=True,
        rng=np.random.default_rng(0),
    )
    assert (low, high) == pytest.approx(tuple(oracle.confidence_interval), abs=0.15 * oracle.standard_error)


def test_kappa_is_not_a_number_where_truth_and_prediction_are_one_class():
    assert np.isnan(scores(make_predictions([4, 4, 4]))["age_kappa"]).all()


def test_kappa_is_zero_where_the_prediction_is_always_the_same():
    assert scores(CASES["one prediction"])["age_kappa"] == pytest.approx([0.0], abs=1e-12)


def test_an_error_of_five_years_is_within_five_years():
    told = make_predictions([3] * 4, years=20, years_predicted=[25.0, 25.001, 15.0, 14.999])
    assert scores(told)["age_cs5"] == pytest.approx([0.5])


def test_probabilities_that_are_equal_once_rounded_count_for_the_class_that_was_predicted():
    p = [[0, 0, 0, 0.4, 0.4, 0.2, 0, 0]] * 2  # written with 6 decimals; the network said 0.39999996 and 0.40000004
    assert scores(make_predictions([4, 4], p_group=p))["age_calibration_error"] == pytest.approx([0.6])
    told = make_predictions([4, 4], gender=1, p_gender=[[0.5, 0.5], [0.48, 0.52]])
    assert scores(told)["gender_calibration_error"] == pytest.approx([(0.5 + 0.48) / 2])
