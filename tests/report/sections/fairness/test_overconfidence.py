"""Calibration by group: by hand, and on calibrated predictions."""

import numpy as np
import pytest
from made_runs import GROUPS, make_predictions

from agegender.labels import GENDERS, RACES
from agegender.records.predictions import Predictions
from agegender.report.sections.fairness.overconfidence import overconfidence
from agegender.report.statistics.crossed import crossed_mean


def simulated(random: np.random.Generator, size: int, *, excess: float = 0.0) -> Predictions:
    """Predictions of one race, 95 % sure on average, and right less often by `excess`."""
    confidence = random.uniform(0.9, 1.0, size)
    predicted = (random.random(size) >= confidence - excess).astype(int)  # 0 is right
    p_gender = np.where(predicted[:, None] == [0, 1], confidence[:, None], 1 - confidence[:, None])
    return make_predictions(np.full(size, 4), gender=0, gender_predicted=predicted, p_gender=p_gender)


def test_confidence_minus_accuracy_by_hand():
    p = [[0.9, 0.1], [0.8, 0.2], [0.4, 0.6]]
    made = make_predictions([4, 4, 0], gender=[0, 1, 1], gender_predicted=[0, 0, 1], p_gender=p, race=[0, 0, 3])
    found = {one.name: one for one in overconfidence([made], "gender")}
    assert list(found) == [RACES[0], RACES[3], *GENDERS, GROUPS[0], GROUPS[4]]
    assert found["White"].value == pytest.approx(0.85 - 0.5)
    assert found["female"].value == pytest.approx(0.7 - 0.5)
    assert found["Indian"].num_images == 1


def test_the_interval_is_that_of_the_accuracy_moved_by_the_confidence():
    made = simulated(np.random.default_rng(0), 5000)
    (whole,) = [one for one in overconfidence([made], "gender") if one.name == "White"]
    excess = made.p_gender.max(axis=1) - (made.gender_predicted == 0)
    assert whole.interval() == pytest.approx(crossed_mean(excess[None]).interval(), abs=5e-4)


@pytest.mark.parametrize("size", [40, 100, 400])
def test_intervals_of_calibrated_groups_hold_zero(size):
    random = np.random.default_rng(1)
    level = 0.05 / 30
    missed = 0
    missed_adjusted = 0
    missed_by_student = 0
    for _ in range(300):
        made = simulated(random, size)
        one = overconfidence([made], "gender")[0]
        missed += leaves_out_zero(one.interval())
        missed_adjusted += leaves_out_zero(one.interval(level))
        excess = made.p_gender.max(axis=1) - (made.gender_predicted == 0)
        missed_by_student += leaves_out_zero(crossed_mean(excess[None]).interval(level))
    assert missed <= 0.07 * 300
    assert missed_adjusted <= 2
    assert missed_by_student > 2


def leaves_out_zero(interval: tuple[float, float]) -> bool:
    return interval[0] > 0 or interval[1] < 0


def test_a_group_that_is_ten_points_too_sure_is_found():
    random = np.random.default_rng(2)
    one = overconfidence([simulated(random, 600, excess=0.1) for _ in range(3)], "gender")[0]
    low, high = one.interval(0.05 / 30)
    assert 0 < low < 0.1 < high
