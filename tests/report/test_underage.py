"""Under-age rates by hand, and against every threshold tried one by one."""

import math

import numpy as np
import pytest
from made_runs import make_predictions, random_predictions

from agegender.report.underage import Share, predicted_older, threshold_curve


def told(years: list[float], years_predicted: list[float]):
    return make_predictions([3] * len(years), years=years, years_predicted=years_predicted)


def test_predicted_older_counts_the_group_13_to_20_in_any_older_group():
    group = [3, 3, 3, 3, 3, 2, 4, 4]
    assert predicted_older([make_predictions(group, [3, 4, 7, 2, 0, 4, 5, 3])]) == Share(2.0, 5)


def test_predicted_older_is_a_mean_over_seeds():
    runs = [make_predictions([3, 3, 4], predicted) for predicted in ([4, 4, 4], [3, 5, 4], [3, 4, 3], [3, 3, 4])]
    assert predicted_older(runs) == Share(1.0, 2)
    assert predicted_older(runs).value == 0.5


def test_predicted_older_without_an_image_of_the_group_has_no_value():
    share = predicted_older([make_predictions([2, 4], [4, 5])])
    assert share == Share(0.0, 0)
    assert math.isnan(share.value)


def test_a_threshold_curve_by_hand():
    # Minors of 10, 16, 17 years, adults of 18 and 40; who is said to be 18.0 is taken for an adult.
    curve = threshold_curve([told([10, 16, 17, 18, 40], [9.5, 18.0, 25.0, 17.0, 33.0])], 18)
    assert curve is not None
    assert (curve.num_minors, curve.num_adults) == (3, 2)
    assert curve.at(18) == pytest.approx((2 / 3, 1 / 2))
    assert curve.at(25) == pytest.approx((1 / 3, 1 / 2))
    assert curve.at(25.5) == pytest.approx((0, 1 / 2))
    assert curve.at(0) == pytest.approx((1, 0))
    assert curve.at(90) == pytest.approx((0, 1))


@pytest.mark.parametrize(("seeds", "age"), [((1,), 18), ((2, 3, 4), 18), ((5, 6), 21), ((7, 8, 9), 16)])
def test_every_rate_is_what_counting_image_by_image_finds(seeds, age):
    runs = [random_predictions(seed, 120, skill=0.6) for seed in seeds]
    curve = threshold_curve(runs, age)
    assert curve is not None
    for asked, false_positive, false_negative in zip(
        curve.asked, curve.false_positive_rate, curve.false_negative_rate, strict=True
    ):
        shares = []
        for run in runs:
            pairs = list(zip(run.years, run.years_predicted, strict=True))
            minors = [predicted >= asked for true, predicted in pairs if true < age]
            adults = [predicted < asked for true, predicted in pairs if true >= age]
            shares.append((sum(minors) / len(minors), sum(adults) / len(adults)))
        assert (false_positive, false_negative) == pytest.approx(tuple(np.mean(shares, axis=0)), abs=1e-12)


@pytest.mark.parametrize("seeds", [(1,), (2, 3, 4), (5, 6, 7, 8, 9)])
def test_a_higher_threshold_takes_fewer_minors_and_more_adults_for_the_other_side(seeds):
    curve = threshold_curve([random_predictions(seed, 200) for seed in seeds], 18)
    assert curve is not None
    assert (np.diff(curve.asked) > 0).all()
    assert (np.diff(curve.false_positive_rate) <= 0).all()
    assert (np.diff(curve.false_negative_rate) >= 0).all()


def test_a_curve_goes_from_everybody_an_adult_to_nobody():
    curve = threshold_curve([random_predictions(seed, 50) for seed in (1, 2)], 18)
    assert curve is not None
    assert (curve.false_positive_rate[0], curve.false_negative_rate[0]) == (1.0, 0.0)
    assert (curve.false_positive_rate[-1], curve.false_negative_rate[-1]) == (0.0, 1.0)


def test_between_two_predicted_ages_the_rates_are_those_of_the_next():
    curve = threshold_curve([told([15, 16, 30], [20.0, 22.0, 31.0])], 18)
    assert curve is not None
    assert curve.at(20.001) == curve.at(21.9) == curve.at(22) == (0.5, 0.0)


def test_equal_predictions_give_one_threshold():
    curve = threshold_curve([told([15, 16, 30, 31], [18.0] * 4)], 18)
    assert curve is not None
    assert curve.false_positive_rate.tolist() == [1.0, 0.0]
    assert curve.false_negative_rate.tolist() == [0.0, 1.0]


@pytest.mark.parametrize("years", [[3, 10, 17], [18, 30, 90]])
def test_minors_or_adults_alone_have_no_curve(years):
    assert threshold_curve([told(years, [20, 20, 20])], 18) is None
