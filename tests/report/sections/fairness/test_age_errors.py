"""Error by true age: by hand, and on simulated errors whose size is known."""

import numpy as np
import pytest
from made_runs import make_predictions

from agegender.records.predictions import Predictions
from agegender.report.sections.fairness.age_errors import age_errors


def of_years(years: np.ndarray, years_predicted: np.ndarray) -> Predictions:
    return make_predictions(np.full(len(years), 4), years=years, years_predicted=years_predicted)


def test_years_with_few_faces_are_put_together_and_the_rest_joins_the_last():
    years = np.repeat([1, 2, 3, 7, 8, 90, 101], [30, 12, 20, 40, 31, 5, 6])
    found = age_errors([of_years(years, years)], least=30)
    assert [(one.name, one.num_images) for one in found] == [("1", 30), ("2-3", 32), ("7", 40), ("8-101", 42)]
    assert found[1].age == pytest.approx((2 * 12 + 3 * 20) / 32)


def test_fewer_faces_than_a_row_needs_are_one_row():
    found = age_errors([of_years(np.array([20, 25, 40]), np.array([22.0, 25.0, 36.0]))])
    assert [(one.name, one.num_images) for one in found] == [("20-40", 3)]
    assert found[0].absolute.value == pytest.approx(2.0)
    assert found[0].bias.value == pytest.approx((2 + 0 - 4) / 3)


def test_errors_are_means_over_seeds_by_hand():
    years = np.repeat([20, 30], 2)
    seeds = [of_years(years, np.array(told)) for told in ([22.0, 18.0, 30.0, 33.0], [24.0, 20.0, 30.0, 31.0])]
    twenty, thirty = age_errors(seeds, least=2)
    assert twenty.absolute.value == pytest.approx((2 + 2 + 4 + 0) / 4)
    assert twenty.bias.value == pytest.approx((2 - 2 + 4 + 0) / 4)
    assert thirty.bias.value == pytest.approx(1.0)


def test_intervals_hold_the_true_error_and_bias_in_about_95_percent():
    random = np.random.default_rng(0)
    years = np.repeat(np.arange(20, 40), 30)
    covered = []
    for _ in range(40):
        of_face = random.normal(0, 6, len(years))
        bias = (30 - years) / 4  # the young are taken for older, the old for younger
        shifts = random.normal(0, 0.5, 3)  # of trainings
        seeds = [of_years(years, years + bias + shift + of_face + random.normal(0, 2, len(years))) for shift in shifts]
        for one in age_errors(seeds):
            low, high = one.bias.interval()
            covered.append(low <= (30 - one.first) / 4 <= high)
    assert 0.92 <= np.mean(covered) <= 0.99


def test_intervals_of_the_absolute_error_hold_it_though_it_is_skew():
    random = np.random.default_rng(1)
    years = np.repeat(np.arange(20, 40), 30)
    covered = []
    for _ in range(40):
        for one in age_errors([of_years(years, years + random.laplace(0, 5, len(years)))]):
            low, high = one.absolute.interval()
            covered.append(low <= 5 <= high)  # of Laplace's distribution, its scale
    assert 0.90 <= np.mean(covered) <= 0.98
