"""Recall of the genders by race: by hand, and on simulated hits."""

import numpy as np
import pytest
from made_runs import make_predictions
from scipy import stats

from agegender.records.predictions import Predictions
from agegender.report.sections.fairness.equalized_odds import recall_gaps, recalls
from agegender.report.statistics.significance import holm

SIZES = np.array([400, 150, 100, 60, 20])  # male faces of each race; as many female
RACE = np.tile(np.repeat(np.arange(5), SIZES), 2)
GENDER = np.repeat([0, 1], SIZES.sum())


def simulated(random: np.random.Generator, num_seeds: int, recall: np.ndarray) -> list[Predictions]:
    """Predictions of seeds that agree on most images; recall (2, 5) by gender and race."""
    of_image = random.random(len(RACE))
    found = []
    for _ in range(num_seeds):
        own = random.random(len(RACE)) < 0.3
        hits = np.where(own, random.random(len(RACE)), of_image) < recall[GENDER, RACE]
        predicted = np.where(hits, GENDER, 1 - GENDER)
        found.append(make_predictions(np.full(len(RACE), 4), gender=GENDER, gender_predicted=predicted, race=RACE))
    return found


def test_recalls_by_hand():
    made = make_predictions([4] * 5, gender=[0, 0, 0, 1, 1], gender_predicted=[0, 0, 1, 1, 0], race=[0, 0, 0, 0, 2])
    found = {(one.gender, one.race): (one.num_images, one.mean.value) for one in recalls([made])}
    assert found == {
        ("male", "White"): (3, pytest.approx(2 / 3)),
        ("female", "White"): (1, 1.0),
        ("female", "Asian"): (1, 0.0),
    }


def test_two_races_are_compared_by_agresti_and_caffos_interval():
    gender_predicted = np.repeat([0, 1, 0, 1], [18, 2, 9, 11])
    made = make_predictions([4] * 40, gender=0, gender_predicted=gender_predicted, race=np.repeat([0, 1], 20))
    (gap,) = recall_gaps([made])
    assert (gap.higher, gap.lower, gap.value) == ("White", "Black", pytest.approx(0.45))
    first = 19 / 22
    second = 10 / 22
    error = np.sqrt(first * (1 - first) / 21 + second * (1 - second) / 21)
    assert gap.p_value == pytest.approx(2 * stats.t.sf((first - second) / error, _satterthwaite(first, second)))


def _satterthwaite(first: float, second: float) -> float:
    variances = np.array([first * (1 - first), second * (1 - second)])
    return variances.sum() ** 2 / (variances**2 / 21).sum()


def test_every_two_races_are_compared_and_the_largest_gap_is_first():
    found = recall_gaps(simulated(np.random.default_rng(0), 1, np.full((2, 5), 0.8)))
    assert len(found) == 2 * 10
    assert [gap.value for gap in found] == sorted((gap.value for gap in found), reverse=True)


@pytest.mark.parametrize("num_seeds", [1, 3])
def test_where_recalls_are_equal_a_gap_is_shown_in_at_most_5_percent_of_reports(num_seeds):
    random = np.random.default_rng(1)
    alarms = [recall_gaps(simulated(random, num_seeds, np.full((2, 5), 0.95))) for _ in range(60)]
    assert np.mean([min(gap.p_value for gap in found) < 0.05 for found in alarms]) <= 0.05


def test_a_race_whose_female_faces_are_recognised_less_often_is_found():
    recall = np.full((2, 5), 0.95)
    recall[1, 1] = 0.75
    found = recall_gaps(simulated(np.random.default_rng(2), 3, recall))
    shown = [gap for gap in found if gap.p_value < 0.05]
    assert ("female", "White", "Black") in {(gap.gender, gap.higher, gap.lower) for gap in shown}
    assert {gap.gender for gap in shown} == {"female"} and {gap.lower for gap in shown} == {"Black"}


def test_p_values_are_adjusted_for_every_two_races_and_both_genders():
    right = np.repeat([1, 0, 1, 0, 1, 0, 1, 0], [18, 2, 9, 11, 19, 1, 12, 8])
    gender = np.repeat([0, 1], 40)
    race = np.tile(np.repeat([0, 1], 20), 2)
    made = make_predictions([4] * 80, gender=gender, gender_predicted=np.where(right, gender, 1 - gender), race=race)
    alone = []
    for at in (0, 1):
        only = made.gender == at
        predicted = made.gender_predicted[only]
        (gap,) = recall_gaps([make_predictions([4] * 40, gender=at, gender_predicted=predicted, race=made.race[only])])
        alone.append(gap.p_value)
    assert [gap.p_value for gap in recall_gaps([made])] == pytest.approx(list(holm(alone)))
