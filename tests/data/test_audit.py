import json

import numpy as np
import pytest
from making import make_table

from agegender.data.audit import audit, duplicate_rows
from agegender.data.split import make_split
from agegender.labels import age_groups
from agegender.report.tables.audit_console import print_audit

CLOSED = age_groups("closed")

TABLE = make_table(
    #     copies that agree, copies that do not, near duplicates that do not, that do, one skipped, the others alone
    ages=[1, 1, 1, 5, 6, 10, 11, 40, 40, 0, *[25] * 20, 70],
    genders=[0, 0, 0, 1, 1, 0, 0, 1, 1, 0, *[0, 1] * 10, 1],
    contents=["a", "a", "a", "b", "b", "c", "d", "e", "f", "", *map(str, range(21))],
    clusters=[0, 0, 0, 1, 1, 2, 2, 3, 3, 4, *range(5, 26)],
    skipped=["", "", "", "", "", "", "", "", "", "not an image", *[""] * 21],
)


def test_the_audit_counts_files_ages_groups_genders_and_races() -> None:
    found = audit(TABLE, CLOSED, "somewhere")
    assert (found.root, found.scheme, found.files, found.usable) == ("somewhere", "closed", 31, 30)
    assert found.ages == {"1": 3, "5": 1, "6": 1, "10": 1, "11": 1, "25": 20, "40": 2, "70": 1}
    assert found.groups == {
        "0-2": 3,
        "3-6": 2,
        "7-12": 2,
        "13-20": 0,
        "21-32": 20,
        "33-43": 2,
        "44-53": 0,
        "54+": 1,
    }
    assert found.genders == {"male": 15, "female": 15}
    assert found.races == {"White": 30, "Black": 0, "Asian": 0, "Indian": 0, "Others": 0}


def test_the_audit_lists_what_was_skipped_with_its_reason() -> None:
    assert audit(TABLE, CLOSED, "").skipped == {"00009.jpg": "not an image"}


def test_the_audit_counts_copies_and_those_that_conflict() -> None:
    assert audit(TABLE, CLOSED, "").exact == {"sets": 2, "files": 5, "conflicting_sets": 1}


def test_the_audit_counts_near_duplicates_copies_included() -> None:
    assert audit(TABLE, CLOSED, "").near == {"sets": 4, "files": 9, "conflicting_sets": 2}


def test_the_disagreement_is_that_of_the_labels_of_each_pair_of_identical_files() -> None:
    # Three pairs among the three copies that agree; 5 and 6 years, one group, one gender.
    assert audit(TABLE, CLOSED, "").disagreement == {"pairs": 4, "group": 0.0, "gender": 0.0, "years": 0.25}
    contents = ["a", "a", "b", "b", *map(str, range(20))]
    table = make_table(ages=[2, 3, 40, 50, *[25] * 20], genders=[0, 1, 0, 0, *[0] * 20], contents=contents)
    assert audit(table, CLOSED, "").disagreement == {"pairs": 2, "group": 1.0, "gender": 0.5, "years": 5.5}


def test_without_identical_files_there_is_no_disagreement_to_count() -> None:
    assert audit(make_table([25] * 40), CLOSED, "").disagreement == {"pairs": 0}


def test_ages_outside_the_groups_and_unknown_races_are_counted_apart() -> None:
    table = make_table([3, *[25] * 10])
    table.races[:4] = -1
    found = audit(table, age_groups("strict"), "")
    assert found.groups["no group"] == 1
    assert found.races == {"White": 7, "Black": 0, "Asian": 0, "Indian": 0, "Others": 0, "unknown": 4}


def test_the_leak_is_the_number_of_test_images_with_a_near_duplicate_elsewhere() -> None:
    # Pairs 0 and 1, 2 and 3, ...: a test image leaks unless its partner is in the test part too.
    table = make_table([25] * 40, clusters=np.arange(40) // 2)
    for seed in range(5):
        test = set(make_split(table, CLOSED, leak_control=False, seed=seed).test.tolist())
        leaked = sum(row ^ 1 not in test for row in test)
        assert audit(table, CLOSED, "", seed=seed).leak == {"test": 8, "test_with_copy_elsewhere": leaked}


@pytest.mark.parametrize(("clusters", "leaked"), [(np.zeros(40, dtype=int), 8), (np.arange(40), 0)])
def test_all_images_leak_if_all_look_alike_and_none_if_none_do(clusters: np.ndarray, leaked: int) -> None:
    found = audit(make_table([25] * 40, clusters=clusters), CLOSED, "")
    assert found.leak == {"test": 8, "test_with_copy_elsewhere": leaked}


def test_the_audit_gives_the_sizes_of_the_split_with_and_without_leak_control() -> None:
    assert audit(TABLE, CLOSED, "").split == {
        # of 30 usable images: 6; 0.15 x 24 = 3.6 -> 4
        "leak_control=false": {"train": 20, "val": 4, "test": 6, "age_outside_groups": 0},
        # without two of the three copies that agree and both that do not, of 26: 5; 0.15 x 21 = 3.15
        "leak_control=true": {
            "train": 18,
            "val": 3,
            "test": 5,
            "age_outside_groups": 0,
            "conflicting_duplicates": 2,
            "exact_duplicates": 2,
        },
    }


def test_data_that_no_split_can_be_made_of_is_audited_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    table = make_table([25, 30], skipped=["no age in its name", ""])
    found = audit(table, CLOSED, "somewhere").to_dict()
    assert (found["usable"], found["split"], found["leak"]["test"]) == (1, {}, 0)
    assert list(found["skipped"].values()) == ["no age in its name"]
    print_audit(found)
    assert "Too few usable images" in capsys.readouterr().out


def test_the_audit_is_json() -> None:
    found = audit(TABLE, CLOSED, "somewhere").to_dict()
    assert json.loads(json.dumps(found)) == found


def test_sets_of_near_duplicates_are_listed_largest_first() -> None:
    assert [rows.tolist() for rows in duplicate_rows(TABLE)] == [[0, 1, 2], [3, 4], [5, 6], [7, 8]]
