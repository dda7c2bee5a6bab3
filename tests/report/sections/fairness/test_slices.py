"""Slices of the test images, counted by hand and image by image."""

import math
from itertools import product

import numpy as np
import pytest
from made_runs import GROUPS, make_predictions, random_predictions
from scipy.stats import beta, binom, binomtest, fisher_exact
from statsmodels.stats.multitest import multipletests

from agegender.labels import GENDERS, RACES
from agegender.report.sections.fairness.slices import ALL, Accuracy, Slice, compare_with_age_groups, slices, worst_off
from agegender.report.statistics.crossed import crossed_mean
from agegender.report.statistics.significance import wilson


def part(found: list[Slice], gender: str = ALL, race: str = ALL, group: str = ALL) -> Slice:
    (only,) = [one for one in found if (one.gender, one.race, one.group) == (gender, race, group)]
    return only


def a_slice(race: str, value: float, p_value: float) -> Slice:
    return Slice("male", race, "21-32", 30, {"age": Accuracy(value, (0.0, 1.0), 0.5, p_value)})


# Five images: two white men and a white woman of 21-32, a black man of 0-2, and a woman of 21-32 without a race.
FIVE = {"group": [4, 4, 4, 0, 4], "gender": [0, 0, 1, 0, 1], "race": [0, 0, 0, 1, -1]}


def test_slices_are_all_images_then_single_labels_then_combinations():
    found = slices([make_predictions(**FIVE)])
    assert (found[0].name, found[0].num_images) == ("all", 5)
    assert {one.name for one in found[1:16]} == {*GENDERS, *RACES, *GROUPS}
    assert {one.name for one in found[16:]} == {", ".join(labels) for labels in product(GENDERS, RACES, GROUPS)}
    assert len(found) == 1 + (2 + 5 + 8) + 2 * 5 * 8


def test_images_are_counted_by_hand():
    found = slices([make_predictions(**FIVE)])
    assert [part(found, gender=gender).num_images for gender in GENDERS] == [3, 2]
    assert part(found, group="21-32").num_images == 4
    assert part(found, group="0-2").num_images == 1
    assert part(found, "male", "White", "21-32").num_images == 2
    assert part(found, "male", "Black", "0-2").num_images == 1


def test_an_image_without_a_race_is_in_no_slice_of_a_race():
    found = slices([make_predictions(**FIVE)])
    assert [part(found, race=race).num_images for race in RACES] == [3, 1, 0, 0, 0]
    assert sum(one.num_images for one in found[16:]) == 4


def test_shares_are_means_over_seeds_by_hand():
    one = make_predictions(**FIVE, group_predicted=[4, 4, 4, 1, 4], gender_predicted=[0, 1, 1, 0, 0])
    other = make_predictions(**FIVE, group_predicted=[4, 5, 4, 1, 5], gender_predicted=[0, 1, 1, 0, 1])
    found = slices([one, other])
    assert found[0].accuracy["age"].value == pytest.approx((4 + 2) / 10)
    assert part(found, "male", "White", "21-32").accuracy["age"].value == pytest.approx(3 / 4)
    assert part(found, "male", "White", "21-32").accuracy["gender"].value == pytest.approx(2 / 4)
    assert part(found, gender="female").accuracy["gender"].value == pytest.approx(3 / 4)
    assert part(found, race="Black").accuracy["age"].value == 0


def test_a_slice_without_an_image_says_nothing():
    empty = part(slices([make_predictions(**FIVE)]), "female", "Indian", "54+")
    assert empty.num_images == 0
    for accuracy in empty.accuracy.values():
        assert math.isnan(accuracy.value) and math.isnan(accuracy.p_value)
        assert accuracy.interval == (0.0, 1.0)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_slice_is_what_a_search_image_by_image_finds(seed):
    made = random_predictions(seed, 300, labels_seed=seed)
    found = slices([made])
    level = 0.05 / sum(one.num_images > 0 for one in found)
    for one in found:
        inside = [
            n
            for n in range(300)
            if one.gender in (ALL, GENDERS[made.gender[n]])
            and (one.race == ALL or (made.race[n] >= 0 and one.race == RACES[made.race[n]]))
            and one.group in (ALL, GROUPS[made.group[n]])
        ]
        assert one.num_images == len(inside)
        if not inside:
            continue
        for task, true, predicted in (
            ("age", made.group, made.group_predicted),
            ("gender", made.gender, made.gender_predicted),
        ):
            hits = sum(bool(true[n] == predicted[n]) for n in inside)
            assert one.accuracy[task].value == pytest.approx(hits / len(inside))
            interval = binomtest(hits, len(inside)).proportion_ci(1 - level, method="exact")
            assert one.accuracy[task].interval == pytest.approx(tuple(interval), abs=1e-12)


def test_a_combination_is_compared_with_the_rest_of_its_own_age_group_by_fishers_exact_test():
    made = random_predictions(4, 600, labels_seed=4)
    p_values = []
    compared = []
    for one in slices([made])[16:]:
        group = made.group == GROUPS.index(one.group)
        inside = group & (made.gender == GENDERS.index(one.gender)) & (made.race == RACES.index(one.race))
        rest = group & ~inside
        hits = made.group == made.group_predicted
        table = [[(mask & hits).sum(), (mask & ~hits).sum()] for mask in (inside, rest)]
        p_values.append(fisher_exact(table, alternative="less").pvalue)
        compared.append(one.accuracy["age"])
        assert one.accuracy["age"].rest == pytest.approx(hits[rest].mean())
    adjusted = multipletests(p_values, method="holm")[1]
    assert [accuracy.p_value for accuracy in compared] == pytest.approx(list(adjusted))


def test_seeds_are_combined_by_twice_their_mean():
    group = [4] * 40
    gender = np.repeat([0, 1], 20)
    seeds = [make_predictions(group, [4] * 20 + [5] * wrong + [4] * (20 - wrong), gender=gender) for wrong in (6, 9)]
    alone = [fisher_exact([[20 - wrong, wrong], [20, 0]], alternative="less").pvalue for wrong in (6, 9)]
    worse = part(slices(seeds), "female", "White", "21-32")
    assert worse.accuracy["age"].p_value == pytest.approx(2 * (alone[0] + alone[1]))  # 2 for Holm: two can be tested


def test_a_combination_that_is_its_whole_age_group_has_nothing_to_be_compared_with():
    whole = part(slices([make_predictions([4] * 30, 5)]), "male", "White", "21-32")
    assert math.isnan(whole.accuracy["age"].rest) and math.isnan(whole.accuracy["age"].p_value)
    assert worst_off([whole], "age") is None


def test_worst_off_is_the_lowest_of_those_that_are_shown_to_be_worse():
    parts = [
        a_slice("White", value=0.10, p_value=0.2),
        a_slice("Black", value=0.45, p_value=0.001),
        a_slice("Asian", value=0.40, p_value=0.04),
    ]
    assert worst_off(parts, "age") is parts[2]
    assert worst_off(parts[:1], "age") is None


def test_worst_off_differs_between_tasks():
    made = make_predictions(
        [4] * 80,
        [4] * 40 + [5] * 40,
        gender=[0] * 40 + [1] * 40,
        gender_predicted=1,
    )
    found = slices([made])
    assert [worst_off(found, task) for task in ("age", "gender")] == [
        part(found, "female", "White", "21-32"),
        part(found, "male", "White", "21-32"),
    ]


def test_a_hard_age_group_alone_makes_no_slice_worst_off():
    made = make_predictions(np.arange(1600) % 8, 0, gender=np.arange(1600) // 8 % 2)  # only 0-2 is right
    assert worst_off(slices([made]), "age") is None


# Simulated test parts: 80 combinations of 1 to 600 images, about 4,600 in all, as unequal as those of UTKFace.
SIZES = np.clip(np.round(np.random.default_rng(0).lognormal(3.1, 1.4, 80)), 1, 600).astype(int)
COMBINATION = np.repeat(np.arange(80), SIZES)
GROUP = COMBINATION % 8
ACCURACY = np.array([0.85, 0.55, 0.45, 0.4, 0.8, 0.5, 0.4, 0.85])  # of the age groups; the same for everybody in one


def simulated_hits(random: np.random.Generator, num_seeds: int, worse: int = -1) -> np.ndarray:
    """Hits (S, N) of seeds that agree on four images of five; one combination may be 25 points worse."""
    of_image = random.random(len(GROUP))
    of_seed = random.random((num_seeds, len(GROUP)))
    own = random.random((num_seeds, len(GROUP))) < 0.2
    return np.where(own, of_seed, of_image) < ACCURACY[GROUP] - 0.25 * (COMBINATION == worse)


def named(hits: np.ndarray) -> int:
    """The combination that is worst off; -1 for none."""
    _, p_value = compare_with_age_groups(hits, COMBINATION, GROUP, 8)
    value = np.bincount(COMBINATION, weights=hits.mean(axis=0)) / SIZES
    shown = np.where(p_value < 0.05, value, np.inf)
    return int(shown.argmin()) if np.isfinite(shown).any() else -1


def named_before(hits: np.ndarray) -> int:
    """What earlier reports named: of 20 images or more, whose own interval ends lowest."""
    rights = np.bincount(COMBINATION, weights=hits.mean(axis=0))
    ends = [wilson(right, size)[1] if size >= 20 else 2.0 for right, size in zip(rights, SIZES, strict=True)]
    return int(np.argmin(ends))


@pytest.mark.parametrize("num_seeds", [1, 3])
def test_where_all_are_served_alike_one_is_named_in_at_most_5_percent_of_reports(num_seeds):
    random = np.random.default_rng(1)
    alarms = [named(simulated_hits(random, num_seeds)) >= 0 for _ in range(800)]
    assert np.mean(alarms) <= 0.05
    before = [named_before(simulated_hits(random, num_seeds)) >= 0 for _ in range(20)]
    assert np.mean(before) == 1.0


@pytest.mark.parametrize("num_seeds", [1, 3])
def test_a_slice_of_enough_images_that_is_25_points_worse_is_found(num_seeds):
    random = np.random.default_rng(2)
    worse = int(np.flatnonzero((SIZES >= 120) & (SIZES <= 250))[0])
    found = [named(simulated_hits(random, num_seeds, worse)) for _ in range(200)]
    assert np.mean([one == worse for one in found]) > 0.8


@pytest.mark.parametrize("task_accuracy", [ACCURACY, np.full(8, 0.95)], ids=["age", "gender"])
def test_simultaneous_intervals_hold_all_slices_in_95_percent_of_reports(task_accuracy):
    # The chance that all intervals hold, from the binomial distribution; Wilson's would with 0.62 at 95 %.
    joint = 1.0
    for at, size in enumerate(SIZES):
        rights = np.arange(size + 1)
        means = [crossed_mean(np.arange(size)[None] < right) for right in rights]
        low, high = np.array([mean.exact_share_interval(0.05 / 80) for mean in means]).T
        truth = task_accuracy[at % 8]
        joint *= binom.pmf(rights, size, truth)[(low <= truth) & (truth <= high)].sum()
    assert joint >= 0.95


def test_an_interval_over_seeds_is_not_narrower_than_that_of_one_network_with_the_same_accuracy():
    random = np.random.default_rng(4)
    for size in (2, 9, 60, 600):
        hits = random.random((3, size)) < 0.7
        mean = crossed_mean(hits)
        low, high = mean.exact_share_interval(0.05)
        right = hits.sum() / 3
        ends = beta.ppf(0.025, right, size - right + 1), beta.ppf(0.975, right + 1, size - right)
        assert low <= ends[0] + 1e-12 and high >= ends[1] - 1e-12
