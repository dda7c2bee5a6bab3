"""Slices of the test images, counted by hand and image by image."""

import math
from itertools import product

import numpy as np
import pytest
from made_runs import GROUPS, make_predictions, random_predictions
from scipy.stats import binomtest

from agegender.labels import GENDERS, RACES
from agegender.report.slices import ALL, LEAST_IMAGES, Slice, slices, worst_off


def part(found: list[Slice], gender: str = ALL, race: str = ALL, group: str = ALL) -> Slice:
    (only,) = [one for one in found if (one.gender, one.race, one.group) == (gender, race, group)]
    return only


def a_slice(race: str, num_images: int, interval: tuple[float, float]) -> Slice:
    return Slice("male", race, "21-32", num_images, 0.5, interval, 0.5, (0.0, 1.0))


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
    assert found[0].age_accuracy == pytest.approx((4 + 2) / 10)
    assert part(found, "male", "White", "21-32").age_accuracy == pytest.approx(3 / 4)
    assert part(found, "male", "White", "21-32").gender_accuracy == pytest.approx(2 / 4)
    assert part(found, gender="female").gender_accuracy == pytest.approx(3 / 4)
    assert part(found, race="Black").age_accuracy == 0


def test_a_slice_without_an_image_says_nothing():
    empty = part(slices([make_predictions(**FIVE)]), "female", "Indian", "54+")
    assert empty.num_images == 0
    assert math.isnan(empty.age_accuracy) and math.isnan(empty.gender_accuracy)
    assert empty.age_interval == empty.gender_interval == (0.0, 1.0)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_slice_is_what_a_search_image_by_image_finds(seed):
    told = random_predictions(seed, 300, labels_seed=seed)
    for one in slices([told]):
        inside = [
            n
            for n in range(300)
            if one.gender in (ALL, GENDERS[told.gender[n]])
            and (one.race == ALL or (told.race[n] >= 0 and one.race == RACES[told.race[n]]))
            and one.group in (ALL, GROUPS[told.group[n]])
        ]
        assert one.num_images == len(inside)
        if not inside:
            continue
        for task, true, predicted in (
            ("age", told.group, told.group_predicted),
            ("gender", told.gender, told.gender_predicted),
        ):
            hits = sum(bool(true[n] == predicted[n]) for n in inside)
            assert getattr(one, f"{task}_accuracy") == pytest.approx(hits / len(inside))
            interval = binomtest(hits, len(inside)).proportion_ci(method="wilson")
            assert getattr(one, f"{task}_interval") == pytest.approx(tuple(interval), abs=1e-12)


def test_worst_off_is_the_combination_whose_interval_ends_lowest():
    parts = [a_slice("White", 30, (0.2, 0.5)), a_slice("Black", 30, (0.3, 0.4)), a_slice("Asian", 900, (0.38, 0.45))]
    assert worst_off(parts, "age") is parts[1]


def test_worst_off_differs_between_tasks():
    group = [4] * 40
    told = make_predictions(
        group,
        [4] * 20 + [5] * 20,
        gender=[0] * 20 + [1] * 20,
        gender_predicted=1,
    )
    found = slices([told])
    assert [worst_off(found, task) for task in ("age", "gender")] == [
        part(found, "female", "White", "21-32"),
        part(found, "male", "White", "21-32"),
    ]


@pytest.mark.parametrize(("num_images", "found"), [(LEAST_IMAGES - 1, False), (LEAST_IMAGES, True)])
def test_worst_off_needs_twenty_images(num_images, found):
    told = make_predictions([4] * num_images, [5] * num_images)
    assert (worst_off(slices([told]), "age") is not None) == found


def test_worst_off_is_a_combination_never_a_single_label():
    told = make_predictions(np.arange(120) % 8, 0, gender=np.arange(120) // 8 % 2)  # 15 images at most
    assert worst_off(slices([told]), "age") is None
