"""The statistics of the training set that every method stores."""

from collections import Counter

import pytest
from preparing import prepare

from agegender.losses.cross_entropy import CrossEntropy


def learned(ages: list[int], scheme: str = "closed") -> CrossEntropy:
    """Make a method that has seen training images of these ages."""
    return prepare(CrossEntropy(), Counter(ages), scheme)


def test_the_images_of_each_group_are_counted() -> None:
    ages = [0, 2, 3, 12, 12, 12, 13, 33, 53, 54, 120]
    assert learned(ages).group_counts.tolist() == [2, 1, 3, 1, 0, 1, 1, 2]


def test_ages_that_a_scheme_drops_count_for_no_group() -> None:
    assert learned([1, 3, 5, 7, 30, 35, 40, 55, 60], "strict").group_counts.tolist() == [1, 1, 0, 0, 1, 1, 0, 1]


@pytest.mark.parametrize(
    ("ages", "median"),
    [
        ([25], 25),
        ([21, 22, 30], 22),
        ([32, 21, 32, 22, 23], 23),
        ([21, 21, 21, 32], 21),
        ([21, 22, 24, 32], 22),  # of the two in the middle, the lower
    ],
)
def test_the_age_of_a_group_is_the_median_of_its_training_images(ages: list[int], median: int) -> None:
    assert learned([*ages, 2, 60, 60]).group_years[4].item() == median


def test_a_group_without_training_images_has_the_middle_of_its_own_ages() -> None:
    years = learned([]).group_years.tolist()
    # 0-2, 3-6, 7-12, 13-20, 21-32, 33-43, 44-53, 54-120; of an even number the lower of the two in the middle
    assert years == [1, 4, 9, 16, 26, 38, 48, 87]


def test_the_group_of_each_age_is_kept() -> None:
    groups = learned([], "strict").group_of_age
    assert [groups[age].item() for age in (0, 2, 3, 4, 20, 24, 25, 59, 60, 120)] == [0, 0, -1, 1, 3, -1, 4, -1, 7, 7]


def test_looking_at_the_training_set_again_replaces_what_was_known() -> None:
    method = prepare(learned([22, 22, 22]), {30: 2})
    assert (method.group_counts[4].item(), method.group_years[4].item()) == (2, 30)
