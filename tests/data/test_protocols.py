"""Official parts, official folds and cross-validation: the test part is given, the training side gives way."""

from dataclasses import replace

import numpy as np
import pytest
from making import make_table

from agegender.data.protocols import Protocol, draw_share, make_folds, split_by
from agegender.data.sources.base import FaceTable, SetColumns
from agegender.data.split import PARTS, Split
from agegender.labels import age_groups
from agegender.system.errors import InputError

CLOSED = age_groups("closed")
AGES = np.tile([1, 5, 10, 17, 27, 40, 50, 70], 30)
NUM = len(AGES)


def table_with(
    *,
    parts: list[str] | None = None,
    folds: list[int] | None = None,
    subjects: list[str] | None = None,
    **options: object,
) -> FaceTable:
    table = make_table(AGES, **options)  # type: ignore[arg-type]
    of_set = SetColumns(
        last_ages=table.ages,
        subjects=tuple(subjects or [""] * NUM),
        parts=tuple(parts or [""] * NUM),
        folds=np.array(folds if folds is not None else [-1] * NUM),
    )
    return replace(table, of_set=of_set)


def split(table: FaceTable, *, leak_control: bool = True, seed: int = 0, **protocol: object) -> Split:
    return split_by(Protocol(**protocol), table, CLOSED, leak_control=leak_control, seed=seed)  # type: ignore[arg-type]


PARTS_OF_ROWS = [("train", "train", "train", "val", "test")[row // 8 % 5] for row in range(NUM)]
FOLDS_OF_ROWS = [row // 8 % 5 for row in range(NUM)]


def test_official_parts_are_taken_as_they_are() -> None:
    found = split(table_with(parts=PARTS_OF_ROWS), official=True)
    for part in PARTS:
        assert found.rows(part).tolist() == [row for row in range(NUM) if PARTS_OF_ROWS[row] == part]
    assert sum(found.dropped.values()) == 0


def test_faces_in_no_official_part_are_counted() -> None:
    found = split(table_with(parts=["", *PARTS_OF_ROWS[1:]]), official=True)
    assert 0 not in found.rows("all") and found.dropped["without_part"] == 1


def test_without_validation_images_a_share_of_the_training_is_validated_on_in_proportion_of_the_groups() -> None:
    found = split(table_with(parts=[part.replace("val", "train") for part in PARTS_OF_ROWS]), official=True)
    assert len(found.test) == NUM // 5
    assert len(found.val) == round(0.15 * (NUM - NUM // 5))  # 28.8 of 192
    counts = np.bincount(CLOSED.of(AGES[found.val]), minlength=8)
    assert counts.max() - counts.min() <= 1
    assert sorted(found.rows("all")) == list(range(NUM))


@pytest.mark.parametrize("fold", range(5))
def test_a_fold_is_tested_on_and_the_others_are_trained_and_validated_on(fold: int) -> None:
    found = split(table_with(folds=FOLDS_OF_ROWS), fold=fold)
    assert found.test.tolist() == [row for row in range(NUM) if FOLDS_OF_ROWS[row] == fold]
    assert sorted(found.rows("all")) == list(range(NUM))


def test_no_subject_is_in_two_parts() -> None:
    subjects = [f"album {row // 8}" for row in range(NUM)]  # five albums of a fold each hold all groups
    found = split(table_with(folds=FOLDS_OF_ROWS, subjects=subjects), fold=2)
    albums = [{subjects[row] for row in found.rows(part)} for part in PARTS]
    assert not (albums[0] & albums[1] or albums[0] & albums[2] or albums[1] & albums[2])
    assert len(found.val) == pytest.approx(29, abs=8)


def test_leak_control_drops_what_leaks_from_the_training_side_alone() -> None:
    clusters = list(range(NUM))
    clusters[0] = clusters[32]  # row 0 is trained on, row 32 tested
    clusters[1] = clusters[25]  # row 25 is validated on
    table = table_with(parts=PARTS_OF_ROWS, clusters=clusters)
    found = split(table, official=True)
    assert {0, 1}.isdisjoint(found.rows("all")) and 32 in found.test and 25 in found.val
    assert found.dropped["leaks_of_test"] == 1 and found.dropped["leaks_of_validation"] == 1
    unchecked = split(table, official=True, leak_control=False)
    assert {0, 1} <= set(unchecked.train.tolist())


def test_copies_in_the_test_part_stay_and_those_in_the_training_part_count_once_or_not_at_all() -> None:
    contents = list(map(str, range(NUM)))
    clusters = list(range(NUM))
    for first, second in ((0, 8), (1, 10), (32, 72)):  # rows of equal ages, of 5 and 10 years; two tested rows
        contents[second] = contents[first]
        clusters[second] = clusters[first]
    found = split(table_with(parts=PARTS_OF_ROWS, contents=contents, clusters=clusters), official=True)
    assert {0, 32, 72} <= set(found.rows("all")) and {8, 1, 10}.isdisjoint(found.rows("all"))
    assert found.dropped["exact_duplicates"] == 1 and found.dropped["conflicting_duplicates"] == 2


@pytest.mark.parametrize("num_folds", [2, 5])
def test_a_cross_validation_tests_on_every_image_once(num_folds: int) -> None:
    clusters = [row // 2 for row in range(NUM)]
    tests = [
        split(make_table(AGES, clusters=clusters), fold=fold, num_folds=num_folds).test for fold in range(num_folds)
    ]
    assert sorted(np.concatenate(tests)) == list(range(NUM))
    sizes = [len(test) for test in tests]
    assert max(sizes) - min(sizes) <= 2
    for test in tests:
        assert {row // 2 for row in test} & {row // 2 for row in set(range(NUM)) - set(test.tolist())} == set()
        counts = np.bincount(CLOSED.of(AGES[test]), minlength=8)
        assert counts.max() - counts.min() <= 4


def test_the_folds_follow_from_the_seed() -> None:
    group = AGES % 8
    units = np.arange(NUM)
    one, same, other = (make_folds(group, units, 5, seed) for seed in (0, 0, 1))
    assert (one == same).all() and (one != other).any()


def test_a_share_is_drawn_whole_units_at_a_time() -> None:
    units = np.arange(NUM) // 3
    chosen = draw_share(CLOSED.of(AGES), units, 0.15, seed=0)
    assert chosen.sum() == pytest.approx(0.15 * NUM, abs=3)
    for unit in np.unique(units):
        assert len(set(chosen[units == unit])) == 1


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        (
            {"official": True},
            r"data\.split=official: these data have no .* part of their own; it has folds: data\.fold=",
        ),
        ({"fold": 7}, r"data\.fold=7: the data have the folds 0, 1, 2, 3, 4"),
        ({"num_folds": 3}, r"data\.folds=3 needs the fold to test on: train\.py -m data\.fold=0,1,2"),
        ({"num_folds": 3, "fold": 3}, r"data\.fold=3: data\.folds=3 has 0 to 2"),
        ({"num_folds": 3, "fold": 1, "official": True}, r"data\.folds=3 makes folds of its own"),
    ],
)
def test_a_protocol_that_the_data_do_not_have_is_refused(protocol: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        split(table_with(folds=FOLDS_OF_ROWS), **protocol)


def test_a_fold_of_data_without_folds_is_refused() -> None:
    with pytest.raises(InputError, match=r"data\.fold=1: these data have no folds of their own; add data\.folds=5"):
        split(make_table(AGES), fold=1)
