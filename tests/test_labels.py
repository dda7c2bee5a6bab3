import numpy as np
import pytest

from agegender.labels import NUM_AGES, SCHEMES, age_groups

CLOSED = ("0-2", "3-6", "7-12", "13-20", "21-32", "33-43", "44-53", "54+")
ADIENCE = ("0-2", "4-6", "8-13", "15-20", "25-32", "38-43", "48-53", "60+")


def group_name(scheme: str, age: int) -> str | None:
    groups = age_groups(scheme)
    index = int(groups.of(np.array([age]))[0])
    return None if index < 0 else groups.names[index]


@pytest.mark.parametrize(("scheme", "names"), [("closed", CLOSED), ("nearest", ADIENCE), ("strict", ADIENCE)])
def test_a_scheme_names_its_groups_youngest_first(scheme: str, names: tuple[str, ...]) -> None:
    assert age_groups(scheme).names == names


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("0-2", 0, 2),
        ("3-6", 3, 6),
        ("7-12", 7, 12),
        ("13-20", 13, 20),
        ("21-32", 21, 32),
        ("33-43", 33, 43),
        ("44-53", 44, 53),
        ("54+", 54, 120),
    ],
)
def test_closed_groups_hold_their_first_and_their_last_year(name: str, first: int, last: int) -> None:
    assert group_name("closed", first) == group_name("closed", last) == name


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("0-2", 0, 2),
        ("4-6", 4, 6),
        ("8-13", 8, 13),
        ("15-20", 15, 20),
        ("25-32", 25, 32),
        ("38-43", 38, 43),
        ("48-53", 48, 53),
        ("60+", 60, 120),
    ],
)
def test_strict_groups_hold_their_first_and_their_last_year(name: str, first: int, last: int) -> None:
    assert group_name("strict", first) == group_name("strict", last) == name


@pytest.mark.parametrize("age", [3, 7, 14, 21, 24, 33, 37, 44, 47, 54, 59])
def test_strict_drops_the_years_between_adiences_groups(age: int) -> None:
    assert group_name("strict", age) is None


@pytest.mark.parametrize(
    ("age", "name"),
    [
        # The gaps of Adience are 3, 7, 14, 21-24, 33-37, 44-47 and 54-59 years.
        (2, "0-2"),
        (3, "0-2"),
        (4, "4-6"),
        (6, "4-6"),
        (7, "4-6"),
        (8, "8-13"),
        (13, "8-13"),
        (14, "8-13"),
        (15, "15-20"),
        (20, "15-20"),
        (21, "15-20"),
        (22, "15-20"),
        (23, "25-32"),
        (24, "25-32"),
        (25, "25-32"),
        (32, "25-32"),
        (33, "25-32"),
        (35, "25-32"),
        (36, "38-43"),
        (37, "38-43"),
        (38, "38-43"),
        (43, "38-43"),
        (44, "38-43"),
        (45, "38-43"),
        (46, "48-53"),
        (47, "48-53"),
        (48, "48-53"),
        (53, "48-53"),
        (54, "48-53"),
        (56, "48-53"),
        (57, "60+"),
        (59, "60+"),
        (60, "60+"),
        (120, "60+"),
    ],
)
def test_nearest_gives_a_gap_to_the_nearer_group_and_a_tie_to_the_younger(age: int, name: str) -> None:
    assert group_name("nearest", age) == name


@pytest.mark.parametrize("scheme", SCHEMES)
def test_groups_never_grow_younger_with_age(scheme: str) -> None:
    groups = age_groups(scheme).of(np.arange(NUM_AGES))
    assert np.all(np.diff(groups[groups >= 0]) >= 0)
    assert set(groups[groups >= 0]) == set(range(8))


def test_an_unknown_scheme_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"data\.age_groups=adience.*closed, nearest, strict"):
        age_groups("adience")


def test_groups_of_ones_own_begin_at_their_first_years() -> None:
    groups = age_groups([0, 18, 65])
    assert groups.names == ("0-17", "18-64", "65+")
    assert [groups.group_of_age[age] for age in (0, 17, 18, 64, 65, 120)] == [0, 0, 1, 1, 2, 2]
    assert age_groups([13, 18]).group_of_age[[0, 12, 13, 17, 18]].tolist() == [-1, -1, 0, 0, 1]


@pytest.mark.parametrize("edges", [[], [0], [18, 0], [0, 18, 18], [-1, 18], [0, 121]])
def test_edges_that_make_no_groups_are_refused(edges: list[int]) -> None:
    with pytest.raises(ValueError, match=r"give the first year of each group, at least two, ascending"):
        age_groups(edges)


def test_a_range_has_a_group_if_all_of_its_ages_are_in_it() -> None:
    first = np.array([21, 15, -1, 54, 3, 20])
    last = np.array([32, 25, -1, 120, 3, 21])
    assert age_groups("closed").of_spans(first, last).tolist() == [4, -1, -1, 7, 1, -1]
    assert age_groups("strict").of_spans(np.array([0, 2, 25]), np.array([2, 4, 32])).tolist() == [0, -1, 4]
