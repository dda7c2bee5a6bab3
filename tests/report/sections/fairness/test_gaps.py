"""Gaps of races and genders: by hand, and on simulated faces whose gap within age groups is known."""

import numpy as np
import pytest
from made_runs import make_predictions

from agegender.report.sections.fairness.gaps import gaps, simultaneous_level, stratified_difference

# Simulated test parts: race 0 is old, race 1 young, race 2 has few; the young are harder, for everybody.
ACCURACY = np.array([0.4, 0.5, 0.65, 0.8])  # of the age groups
NUM_FACES = np.array([[50, 100, 250, 600], [500, 300, 150, 50], [60, 50, 25, 10]])  # by race and age group
RACE = np.repeat(np.repeat(np.arange(3), 4), NUM_FACES.ravel())
GROUP = np.repeat(np.tile(np.arange(4), 3), NUM_FACES.ravel())


def simulated_hits(
    random: np.random.Generator, num_seeds: int, gap: float = 0.0, seed_deviation: float = 0.0
) -> np.ndarray:
    """Hits (S, N); race 2 differs by `gap` within every age group, and by chance in every training."""
    own = random.random((num_seeds, len(RACE))) < 0.3
    chance = np.where(own, random.random((num_seeds, len(RACE))), random.random(len(RACE)))
    of_training = gap + random.normal(0, seed_deviation, (num_seeds, 1)) if seed_deviation else gap
    return chance < ACCURACY[GROUP] + of_training * (RACE == 2)


def test_the_difference_is_weighted_over_strata_by_hand():
    # Stratum 0: 2 of 4 against 1 of 4; stratum 1: 1 of 2 against 6 of 6. Weights 4 * 4 / 8 = 2 and 2 * 6 / 8 = 1.5.
    hits = np.array([[1, 1, 0, 0, 1, 0, 0, 0, 1, 0, 1, 1, 1, 1, 1, 1]])
    strata = np.repeat([0, 1], 8)
    inside = np.array([1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0], dtype=bool)
    found = stratified_difference(hits, inside, ~inside, strata)
    assert found.value == pytest.approx((2 * 0.25 + 1.5 * -0.5) / 3.5)
    of_stratum_1 = 7 / 8 * 1 / 8 * 8 / 7  # of all its images: those of one side are all right
    variances = [2**2 * (1 / 3 / 4 + 1 / 4 / 4), 1.5**2 * (1 / 2 / 2 + of_stratum_1 / 6)]
    assert found.standard_error == pytest.approx(np.sqrt(sum(variances)) / 3.5)


def test_seeds_add_the_variance_of_their_differences():
    hits = np.array([[1, 0, 1, 0, 0, 1], [1, 1, 1, 0, 0, 1], [1, 0, 1, 0, 1, 1]], dtype=bool)
    inside = np.arange(6) < 3
    found = stratified_difference(hits, inside, ~inside, np.zeros(6, dtype=int))
    of_seeds = hits[:, :3].mean(axis=1) - hits[:, 3:].mean(axis=1)
    of_images = hits[:, :3].mean(axis=0).var(ddof=1) / 3 + hits[:, 3:].mean(axis=0).var(ddof=1) / 3
    assert found.value == pytest.approx(of_seeds.mean())
    assert found.standard_error == pytest.approx(np.sqrt(of_images + of_seeds.var(ddof=1) / 3))


def test_a_gap_that_is_one_of_ages_vanishes_within_age_groups():
    random = np.random.default_rng(0)
    raw = []
    within = []
    covered = []
    for _ in range(400):
        hits = simulated_hits(random, 1)
        raw.append(stratified_difference(hits, RACE == 0, RACE != 0, np.zeros_like(GROUP)).value)
        found = stratified_difference(hits, RACE == 0, RACE != 0, GROUP)
        low, high = found.interval()
        within.append(found.value)
        covered.append(low <= 0 <= high)
    assert min(raw) > 0.1
    assert abs(np.mean(within)) < 3 * np.std(within) / 20
    assert 0.92 <= np.mean(covered) <= 0.98


@pytest.mark.parametrize(
    ("num_seeds", "seed_deviation", "least"), [(1, 0.0, 0.92), (3, 0.0, 0.92), (3, 0.03, 0.92), (5, 0.03, 0.92)]
)
def test_intervals_of_a_gap_within_age_groups_hold_it_in_about_95_percent(num_seeds, seed_deviation, least):
    random = np.random.default_rng(1)
    covered = []
    values = []
    for _ in range(400):
        hits = simulated_hits(random, num_seeds, gap=-0.15, seed_deviation=seed_deviation)
        found = stratified_difference(hits, RACE == 2, RACE != 2, GROUP)
        low, high = found.interval()
        covered.append(low <= -0.15 <= high)
        values.append(found.value)
    assert np.mean(values) == pytest.approx(-0.15, abs=0.01)
    assert least <= np.mean(covered) <= 0.995


@pytest.mark.parametrize("num_seeds", [1, 3])
def test_where_no_gap_is_one_is_shown_in_at_most_about_5_percent_of_reports(num_seeds):
    random = np.random.default_rng(2)
    alarms = []
    for _ in range(300):
        hits = simulated_hits(random, num_seeds)
        found = [stratified_difference(hits, RACE == race, RACE != race, GROUP) for race in range(3)]
        ends = [gap.interval(0.05 / 3) for gap in found]
        alarms.append(any(low > 0 or high < 0 for low, high in ends))
    assert np.mean(alarms) <= 0.07  # 5 % and 1.6 standard errors


def test_each_race_is_compared_with_all_others_and_female_with_male():
    made = make_predictions(
        [4] * 6, [4, 4, 5, 4, 5, 5], gender=[0, 1, 0, 1, 0, 1], race=[0, 0, 1, 1, 4, -1], gender_predicted=0
    )
    found = {gap.name: gap for gap in gaps([made], "age")}
    assert list(found) == ["White", "Black", "Others", "female"]
    white = found["White"]
    assert (white.num_images, white.num_others) == (2, 3)  # an image without a race is in no comparison of races
    assert white.raw.value == white.within.value == pytest.approx(1 - 1 / 3)
    assert found["female"].num_others == 3
    assert gaps([made], "gender")[-1].raw.value == -1.0


def test_races_without_an_age_group_in_common_have_no_gap_within_age_groups():
    made = make_predictions([4, 4, 5, 5], race=[0, 0, 1, 1])
    found = gaps([made], "age")
    assert all(np.isnan(gap.within.value) and not gap.is_shown(0.05) for gap in found)
    assert simultaneous_level({"age": found}) == 0.05


def test_the_level_is_divided_by_all_gaps_of_both_tasks():
    made = make_predictions([4] * 4, race=[0, 0, 1, 1], gender=[0, 1, 0, 1])
    assert simultaneous_level({task: gaps([made], task) for task in ("age", "gender")}) == pytest.approx(0.05 / 6)


def test_two_images_that_are_right_and_two_that_are_not_show_no_gap():
    made = make_predictions([4] * 4, [4, 4, 5, 5], race=[0, 0, 1, 1])
    (white, _) = gaps([made], "age")
    assert white.within.value == 1.0 and not white.is_shown(0.05)
