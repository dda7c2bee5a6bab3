import csv
import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
from making import make_table

from agegender.data.sources.base import FaceTable
from agegender.data.split import (
    PARTS,
    Split,
    assign_parts,
    make_split,
    manifest_hash,
    part_sizes,
    read_split,
    save_manifest,
)
from agegender.labels import AgeGroups, age_groups
from agegender.system.errors import InputError

CLOSED = age_groups("closed")
UTKFACE_GROUPS = (1605, 888, 919, 1463, 8798, 3880, 2156, 3997)  # UTKFace's faces by closed group
AGE_OF_GROUP = np.array([1, 5, 10, 17, 27, 40, 50, 70])


def like_utkface(num_images: int, seed: int = 0) -> np.ndarray:
    """Draw the groups of this many images, in UTKFace's shares."""
    shares = np.array(UTKFACE_GROUPS) / sum(UTKFACE_GROUPS)
    return np.random.default_rng(seed).choice(8, num_images, p=shares)


def table_like_utkface(num_images: int, seed: int = 0) -> FaceTable:
    return make_table(AGE_OF_GROUP[like_utkface(num_images, seed)])


def rounded(share_of_100: int, num: int) -> int:
    """Return the nearest integer of a share in percent, by integer arithmetic; a half is rounded up."""
    return (2 * share_of_100 * num + 100) // 200


def sizes(part: np.ndarray) -> tuple[int, ...]:
    return tuple(int((part == index).sum()) for index in range(3))


def everything(split: Split) -> list[int]:
    return sorted(np.concatenate([split.train, split.val, split.test]).tolist())


# Sizes


@pytest.mark.parametrize(
    ("num_images", "expected"),
    [
        (24_104, (16_391, 2_892, 4_821)),  # 4820.8 -> 4821; 0.15 x 19283 = 2892.45 -> 2892
        (1000, (680, 120, 200)),
        (10, (7, 1, 2)),  # 0.15 x 8 = 1.2
        (13, (8, 2, 3)),  # 2.6 -> 3; 0.15 x 10 = 1.5 -> 2
        (3, (2, 0, 1)),
    ],
)
def test_part_sizes_are_20_percent_and_15_percent_of_the_rest_rounded(
    num_images: int, expected: tuple[int, int, int]
) -> None:
    assert part_sizes(num_images) == expected


def test_part_sizes_follow_the_rule_for_every_number_of_images() -> None:
    for num in range(3000):
        test = rounded(20, num)
        val = rounded(15, num - test)
        assert part_sizes(num) == (num - test - val, val, test)


def test_the_papers_number_of_images_is_split_into_the_papers_sizes() -> None:
    table = table_like_utkface(24_104)
    split = make_split(table, CLOSED, leak_control=False, seed=0)
    assert (len(split.train), len(split.val), len(split.test)) == (16_391, 2_892, 4_821)


def test_every_image_is_in_exactly_one_part() -> None:
    assert everything(make_split(table_like_utkface(1000), CLOSED, leak_control=False, seed=0)) == list(range(1000))


# Strata


@pytest.mark.parametrize("num_images", [500, 1001, 24_104])
def test_every_group_is_dealt_out_in_proportion(num_images: int) -> None:
    group = like_utkface(num_images)
    part = assign_parts(group, np.arange(num_images), seed=0)
    total = np.array(sizes(part))
    for stratum in range(8):
        expected = total * (group == stratum).sum() / num_images
        found = np.array(sizes(part[group == stratum]))
        # Test places are rounded once; validation takes a share of the rest, so training has both rounding errors.
        assert np.all(np.abs(found - expected)[[2, 1]] <= [1, 1.2])
        assert abs(found - expected)[0] < 2


def test_groups_of_one_or_two_images_do_not_spoil_the_sizes() -> None:
    group = np.array([0] * 100 + [1] + [2] * 2 + [3] * 97)
    for seed in range(10):
        assert sizes(assign_parts(group, np.arange(200), seed)) == part_sizes(200)


def test_many_groups_of_one_image_are_dealt_out_exactly() -> None:
    assert sizes(assign_parts(np.arange(120), np.arange(120), seed=0)) == part_sizes(120)


def test_group_numbers_need_not_be_consecutive() -> None:
    group = np.repeat([2, 7], 50)
    part = assign_parts(group, np.arange(100), seed=0)
    assert sizes(part[group == 2]) == sizes(part[group == 7]) == (34, 6, 10)


# Randomness


def test_the_same_seed_gives_the_same_split() -> None:
    table = table_like_utkface(500)
    one, two = (make_split(table, CLOSED, leak_control=True, seed=7).manifest(table.names) for _ in range(2))
    assert one == two


def test_another_seed_gives_another_split() -> None:
    table = table_like_utkface(500)
    made = {make_split(table, CLOSED, leak_control=True, seed=seed).manifest(table.names) for seed in range(5)}
    assert len(made) == 5


def test_every_image_is_as_often_in_the_test_part_as_its_share() -> None:
    table = table_like_utkface(60)
    counts = np.zeros(60)
    for seed in range(400):
        counts[make_split(table, CLOSED, leak_control=False, seed=seed).test] += 1
    # A stratum's share of 12 places is a whole number, at most one away from its share of the images.
    group = CLOSED.of(table.ages)
    for stratum in np.unique(group):
        rate = counts[group == stratum] / 400
        assert np.ptp(rate) < 0.16, "all images of a group have the same chance"
    assert counts.sum() == 400 * 12


# Clusters


def random_units(num_images: int, rng: np.random.Generator, num_pairs: int) -> np.ndarray:
    units = np.arange(num_images)
    for first, second in rng.integers(0, num_images, (num_pairs, 2)):
        units[units == units[second]] = units[first]
    return units


def assert_whole(part: np.ndarray, units: np.ndarray) -> None:
    for unit in np.unique(units):
        assert len(np.unique(part[units == unit])) == 1


def test_sizes_are_exact_and_units_whole_for_random_data_of_many_sizes() -> None:
    rng = np.random.default_rng(0)
    for num_images in rng.integers(60, 1200, 60):
        group = like_utkface(num_images, seed=int(num_images))
        units = random_units(num_images, rng, num_pairs=num_images // 20)
        part = assign_parts(group, units, seed=int(rng.integers(100)))
        assert sizes(part) == part_sizes(num_images)
        assert_whole(part, units)


def test_sizes_are_exact_even_if_the_groups_are_too_small_for_the_units() -> None:
    group = np.repeat(np.arange(20), 2)  # a pair never fits into its group's one place in a part
    units = np.arange(40)
    units[1:20:2] = units[:20:2]
    for seed in range(20):
        part = assign_parts(group, units, seed)
        assert sizes(part) == part_sizes(40)
        assert_whole(part, units)


def test_units_stay_whole_and_no_image_is_lost_however_large_the_units_are() -> None:
    rng = np.random.default_rng(1)
    for num_images in rng.integers(8, 300, 100):
        units = rng.integers(0, rng.integers(1, num_images + 1), num_images)
        part = assign_parts(rng.integers(0, 8, num_images), units, seed=0)
        assert set(part.tolist()) <= {0, 1, 2}
        assert_whole(part, units)


@pytest.mark.parametrize("size", [30, 60, 90])
def test_a_giant_unit_goes_to_training(size: int) -> None:
    units = np.arange(100)
    units[:size] = 0
    part = assign_parts(np.zeros(100, dtype=int), units, seed=0)
    assert np.all(part[:size] == 0)


def test_one_giant_unit_that_training_has_room_for_leaves_the_sizes_exact() -> None:
    units = np.arange(200)
    units[:100] = 0
    for seed in range(10):
        assert sizes(assign_parts(np.arange(200) % 4, units, seed)) == part_sizes(200)


def test_units_of_several_images_reach_every_part() -> None:
    units = np.arange(300)
    units[:60] = np.repeat(np.arange(30), 2)
    found = {int(at) for seed in range(5) for at in assign_parts(np.zeros(300, dtype=int), units, seed)[:60]}
    assert found == {0, 1, 2}


# Leak control

LEAKY = make_table(
    ages=[25] * 40,
    genders=[0] * 4 + [0, 1] + [0] * 34,
    #         agreeing copies ...  conflicting  all others differ
    contents=["a", "a", "a", "a", "b", "b", *map(str, range(34))],
    #         copies are near duplicates, and so are rows 6 to 9
    clusters=[0, 0, 0, 0, 1, 1, 2, 2, 2, 2, *range(3, 33)],
)


def test_leak_control_keeps_the_first_of_agreeing_copies_and_none_that_conflict() -> None:
    split = make_split(LEAKY, CLOSED, leak_control=True, seed=0)
    assert everything(split) == [0, *range(6, 40)]
    assert split.dropped == {"age_outside_groups": 0, "conflicting_duplicates": 2, "exact_duplicates": 3}


def test_leak_control_keeps_near_duplicates_in_one_part() -> None:
    for seed in range(20):
        split = make_split(LEAKY, CLOSED, leak_control=True, seed=seed)
        assert sum(bool(set(split.rows(part)) & {6, 7, 8, 9}) for part in PARTS) == 1


def test_without_leak_control_every_copy_is_kept_and_they_get_apart() -> None:
    apart = 0
    for seed in range(20):
        split = make_split(LEAKY, CLOSED, leak_control=False, seed=seed)
        assert everything(split) == list(range(40))
        apart += sum(bool(set(split.rows(part)) & {6, 7, 8, 9}) for part in PARTS) > 1
    assert apart > 0


def test_leak_control_has_the_sizes_of_what_it_keeps() -> None:
    split = make_split(LEAKY, CLOSED, leak_control=True, seed=0)
    assert (len(split.train), len(split.val), len(split.test)) == (24, 4, 7)  # of 35: 7; 0.15 x 28 = 4.2


# What cannot be used


def test_skipped_files_are_in_no_part() -> None:
    table = make_table([25] * 30, skipped=["no"] * 5 + [""] * 25)
    assert everything(make_split(table, CLOSED, leak_control=True, seed=0)) == list(range(5, 30))


def test_faces_whose_age_the_scheme_drops_are_counted_and_in_no_part() -> None:
    table = make_table([3, 7, 14] + [25] * 30)
    split = make_split(table, age_groups("strict"), leak_control=False, seed=0)
    assert everything(split) == list(range(3, 33))
    assert split.dropped == {"age_outside_groups": 3}


@pytest.mark.parametrize("num_images", [0, 1, 2, 3, 4])
def test_too_few_images_for_three_parts_are_refused(num_images: int) -> None:
    with pytest.raises(InputError, match=f"{num_images} usable images are too few"):
        make_split(make_table([25] * num_images), CLOSED, leak_control=False, seed=0)


def test_five_images_are_enough_for_three_parts() -> None:
    split = make_split(make_table([25] * 5), CLOSED, leak_control=False, seed=0)
    assert (len(split.train), len(split.val), len(split.test)) == (3, 1, 1)


# The manifest


def round_trip(table: FaceTable, split: Split, folder: Path, groups: AgeGroups = CLOSED) -> Split:
    return read_split(save_manifest(folder, split.manifest(table.names)), table, groups)


@pytest.mark.parametrize("leak_control", [True, False])
def test_a_manifest_read_back_gives_the_same_split_and_hash(leak_control: bool, tmp_path: Path) -> None:
    split = make_split(LEAKY, CLOSED, leak_control=leak_control, seed=4)
    again = round_trip(LEAKY, split, tmp_path)
    for part in PARTS:
        np.testing.assert_array_equal(again.rows(part), split.rows(part))
    assert manifest_hash(again.manifest(LEAKY.names)) == manifest_hash(split.manifest(LEAKY.names))


def test_a_manifest_lists_each_image_once_by_name() -> None:
    table = table_like_utkface(40)
    split = make_split(table, CLOSED, leak_control=False, seed=0)
    header, *rows = csv.reader(split.manifest(table.names).splitlines())
    assert header == ["image", "part"]
    assert [name for name, _ in rows] == list(table.names)
    assert [int(name[:5]) for name, part in rows if part == "val"] == split.val.tolist()


def test_a_manifest_repeats_the_split_on_data_in_another_order(tmp_path: Path) -> None:
    table = table_like_utkface(40)
    split = make_split(table, CLOSED, leak_control=False, seed=0)
    turned = dataclasses.replace(table, names=table.names[::-1], ages=table.ages[::-1])
    again = read_split(save_manifest(tmp_path, split.manifest(table.names)), turned, CLOSED)
    for part in PARTS:
        assert sorted(turned.names[row] for row in again.rows(part)) == [table.names[row] for row in split.rows(part)]


def test_odd_names_survive_a_manifest(tmp_path: Path) -> None:
    odd = [
        "a b.jpg",
        "a,b.jpg",
        'a"b.jpg',
        "a\nb.jpg",
        os.fsdecode(b"a\xffb.jpg"),
        "\u00e9\u4e2d.jpg",
        " .jpg",
        "train",
    ]
    table = dataclasses.replace(make_table([25] * len(odd)), names=tuple(sorted(odd)))
    split = make_split(table, CLOSED, leak_control=False, seed=0)
    again = round_trip(table, split, tmp_path)
    assert [again.rows(part).tolist() for part in PARTS] == [split.rows(part).tolist() for part in PARTS]


def test_the_same_manifest_is_kept_once_and_another_beside_it(tmp_path: Path) -> None:
    table = table_like_utkface(40)
    one, two = (make_split(table, CLOSED, leak_control=False, seed=seed).manifest(table.names) for seed in (0, 1))
    paths = [save_manifest(tmp_path, manifest) for manifest in (one, two, one)]
    assert paths[0] == paths[2]
    assert sorted(tmp_path.iterdir()) == sorted({paths[0], paths[1]})


def test_a_manifest_may_list_a_part_of_the_images(tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    path.write_text("image,part\n00003.jpg,train\n00001.jpg,val\n00002.jpg,test\n")
    split = read_split(path, make_table([25] * 5), CLOSED)
    assert [split.rows(part).tolist() for part in PARTS] == [[3], [1], [2]]


def test_listed_images_that_cannot_be_used_are_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    path.write_text("image,part\n" + "".join(f"0000{i}.jpg,{part}\n" for i, part in enumerate((*PARTS, *PARTS[:2]))))
    table = make_table([25, 25, 25, 3, 25], skipped=["", "", "", "", "not an image"])
    split = read_split(path, table, age_groups("strict"))
    assert [split.rows(part).tolist() for part in PARTS] == [[0], [1], [2]]
    assert split.dropped == {"age_outside_groups": 1, "not_in_split_file": 0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,part\n00000.jpg,train\ngone.jpg,val\nlost.jpg,val\n", r"names 2 of 3 images .*'gone\.jpg' first"),
        ("image,part\n00000.jpg,training\n", "must hold train, val or test, not {'training'}"),
        ("image,part\n00000.jpg\n", "line 2 has too few values"),
        ("image,part\n", "must hold train, val or test, not nothing"),
        ("name,fold\n00000.jpg,train\n", "is not a CSV with the columns image and part"),
        ("\x00\xff\x7fELF\n\x02\x03", "is not a CSV|must hold train, val or test"),
        ("", "is not a CSV|must hold train, val or test, not nothing"),
        ("image,part\n00000.jpg,train\n00001.jpg,val\n", "no usable image for test"),
    ],
    ids=["missing images", "another word", "no part", "header alone", "other columns", "binary", "empty", "no test"],
)
def test_a_wrong_manifest_is_told(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=message) as caught:
        read_split(path, make_table([25] * 5), CLOSED)
    assert f"data.split_file={path}" in str(caught.value)


def test_a_manifest_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"split\.csv cannot be read \(No such file or directory\)"):
        read_split(tmp_path / "split.csv", make_table([25] * 5), CLOSED)


def test_a_folder_as_manifest_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be read \(Is a directory\)"):
        read_split(tmp_path, make_table([25] * 5), CLOSED)
