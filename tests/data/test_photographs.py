"""All crops of a photograph are in one part of a split."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from making import jpeg, make_table, make_zip, name_of

from agegender.data.audit import audit
from agegender.data.datamodule import UTKFaceDataModule
from agegender.data.photographs import count_in_several_parts, crops, photographs, units
from agegender.data.sources.base import FaceTable
from agegender.data.split import PARTS, Split, make_split
from agegender.labels import age_groups
from agegender.report.tables.audit_console import print_audit

CLOSED = age_groups("closed")
AGES = [age for age in (1, 5, 10, 17, 27, 40, 50, 70) for _ in range(15)]
PHOTOGRAPHS = [name_of(age, number % 2, number) for number, age in enumerate(AGES)]


def write_crops(folder: Path) -> Path:
    """Write two different crops of each of 120 photographs to two folders: no two files look alike."""
    for place, first in (("UTKFace", 0), ("crop_part1", 1000)):
        (folder / place).mkdir(parents=True)
        for number, name in enumerate(PHOTOGRAPHS):
            (folder / place / name).write_bytes(jpeg(first + number))
    return folder


def named(names: list[str], **columns: object) -> FaceTable:
    return replace(make_table([25] * len(names), **columns), names=tuple(names))  # pyright: ignore[reportArgumentType]


def parts_of(table: FaceTable, split: Split) -> dict[str, set[str]]:
    """Return the parts that contain each base name."""
    found: dict[str, set[str]] = {}
    for part in PARTS:
        for row in split.rows(part):
            found.setdefault(Path(table.names[row]).name, set()).add(part)
    return found


@pytest.fixture(scope="module")
def crop_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_crops(tmp_path_factory.mktemp("crops") / "archive")


def load(root: Path, folder: Path, **options: object) -> UTKFaceDataModule:
    data = UTKFaceDataModule(root, image_size=16, cache_dir=folder, **options)  # pyright: ignore[reportArgumentType]
    data.setup()
    return data


@pytest.mark.parametrize("seed", range(5))
def test_no_photograph_stands_in_two_parts_in_whichever_crop(crop_folder: Path, seed: int, tmp_path: Path) -> None:
    data = load(crop_folder, tmp_path, split_seed=seed)
    found = parts_of(data.table, data.split)
    assert sorted(found) == sorted(PHOTOGRAPHS)
    assert all(len(parts) == 1 for parts in found.values())


def test_crops_that_were_joined_are_counted_and_told(
    crop_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        data = load(crop_folder, tmp_path)
    assert data.describe()["counts"]["joined"] == {"photographs": 120, "files": 240}  # pyright: ignore
    assert "archive: 240 files are crops of 120 photographs" in caplog.text


def test_without_leak_control_photographs_in_two_parts_are_warned_of(
    crop_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = load(crop_folder, tmp_path, leak_control=False)
    num_leaking = sum(len(parts) > 1 for parts in parts_of(data.table, data.split).values())
    assert num_leaking > 40
    assert f"{num_leaking} photographs are in more than one of training, validation and test" in caplog.text


def test_a_split_file_that_deals_crops_to_two_parts_is_warned_of(
    crop_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = ["image,part"]
    lines += [f"UTKFace/{name},{('train', 'val')[number % 2]}" for number, name in enumerate(PHOTOGRAPHS)]
    lines += [f"crop_part1/{name},test" for name in PHOTOGRAPHS]
    path = tmp_path / "split.csv"
    path.write_text("\n".join(lines) + "\n")
    load(crop_folder, tmp_path, split_file=path)
    assert "120 photographs are in more than one" in caplog.text


def test_a_zip_of_both_crops_is_split_like_the_folder(crop_folder: Path, tmp_path: Path) -> None:
    files = {str(path.relative_to(crop_folder)): path.read_bytes() for path in crop_folder.rglob("*.jpg")}
    data = load(make_zip(tmp_path / "a.zip", files), tmp_path / "cache")
    assert data.manifest_id == load(crop_folder, tmp_path / "cache").manifest_id


def test_the_audit_shows_the_crops_and_what_a_random_split_of_them_leaks(
    crop_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = load(crop_folder, tmp_path).table
    found = audit(table, CLOSED, "archive")
    assert found.crops == {"sets": 120, "files": 240, "conflicting_sets": 0}
    random = make_split(table, CLOSED, leak_control=False, seed=0)
    expected = sum(len(parts_of(table, random)[Path(table.names[row]).name]) > 1 for row in random.test)
    assert found.leak == {"test": 48, "test_with_copy_elsewhere": expected}
    print_audit(found.to_dict())
    assert "several crops: 120 photographs, 240 files" in " ".join(capsys.readouterr().out.split())


def test_a_photograph_is_known_by_its_four_fields_however_the_rest_of_its_name_differs() -> None:
    same = ["a/24_0_1_20170116220224657 .jpg.chip.jpg", "b/24_0_1_20170116220224657.png", "24_0_1_20170116220224657jpg"]
    others = [
        "25_0_1_20170116220224657.jpg",
        "24_1_1_20170116220224657.jpg",
        "24_0_2_20170116220224657.jpg",
        "24_0_20170116220224657.jpg",
        "24_0_1_20170116220224658.jpg",
    ]
    assert [rows.tolist() for rows in photographs(named([*same, *others]))] == [[0, 1, 2]]


def test_names_of_other_data_sets_join_nothing() -> None:
    names = ["subject1/001.jpg", "subject2/001.jpg", "a/12_1_2020.jpg", "b/12_1_2020.jpg"]
    assert photographs(named(names)) == []


def test_byte_identical_copies_are_one_photograph_but_no_crops() -> None:
    names = [f"a/{PHOTOGRAPHS[0]}", f"b/{PHOTOGRAPHS[0]}"]
    assert crops(named(names, contents=["same", "same"])) == []
    assert len(crops(named(names, contents=["one", "other"]))) == 1


def test_units_follow_near_duplicates_through_the_crops_of_a_photograph() -> None:
    # 0 and 2 show one photograph, 2 and 3 look alike: all three belong together.
    names = [f"a/{PHOTOGRAPHS[0]}", f"a/{PHOTOGRAPHS[1]}", f"b/{PHOTOGRAPHS[0]}", f"b/{PHOTOGRAPHS[2]}"]
    unit = units(named(names, clusters=[0, 1, 2, 2]))
    assert unit[0] == unit[2] == unit[3] != unit[1]


def test_units_are_the_near_duplicates_where_no_photograph_has_two_files() -> None:
    table = named(PHOTOGRAPHS[:4], clusters=[3, 1, 1, 0])
    np.testing.assert_array_equal(units(table), [3, 1, 1, 0])


def test_photographs_in_several_parts_are_counted_once_each() -> None:
    names = [f"{place}/{name}" for name in PHOTOGRAPHS[:3] for place in "abc"]
    parts = [np.array([0, 3, 6]), np.array([1, 4]), np.array([2, 7, 8, 5])]
    assert count_in_several_parts(named(names), parts) == 3
    assert count_in_several_parts(named(names), [np.arange(3), np.arange(3, 6), np.arange(6, 9)]) == 0
