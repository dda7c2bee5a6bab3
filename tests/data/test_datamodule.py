import json
import logging
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from making import MemorySource, jpeg, name_of

from agegender.data import datamodule as datamodule_module
from agegender.data.datamodule import Batch, UTKFaceDataModule
from agegender.data.split import PARTS, save_manifest
from agegender.labels import NUM_AGES
from agegender.system.errors import DatasetNotFoundError, InputError

AGES = (1, 5, 10, 17, 27, 40, 50, 70)  # one of each closed group
NUM_FACES = 96


def color_of(age: int, gender: int) -> tuple[int, int, int]:
    """Encode age in red and gender in green."""
    return 30 + 3 * age, 60 + 120 * gender, 128


def labels_in(image: torch.Tensor) -> tuple[int, int]:
    red, green, _ = image.float().mean(dim=(1, 2)).tolist()
    return round((red - 30) / 3), round((green - 60) / 120)


FILES = {
    name_of(age, number % 2, number): jpeg(1000 * age + number, color=color_of(age, number % 2))
    for age in AGES
    for number in range(NUM_FACES // len(AGES))
}


def make_data(**options: object) -> UTKFaceDataModule:
    """Make a data module, by default without a cache."""
    options = {
        "source": MemorySource(FILES),
        "image_size": 16,
        "batch_size": 7,
        "num_workers": 0,
        "cache": False,
    } | options
    data = UTKFaceDataModule(**options)  # type: ignore[arg-type]
    data.setup()
    return data


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> UTKFaceDataModule:
    return make_data(cache=True, cache_dir=tmp_path_factory.mktemp("cache"))


def rows_of(loader: Iterable[Batch]) -> list[int]:
    return [int(row) for batch in loader for row in batch["row"]]


# Batches


def test_trainval_trains_on_both_parts_and_leaves_the_test_part_alone(data: UTKFaceDataModule) -> None:
    both = make_data(train_part="trainval")
    rows = rows_of(both.train_dataloader())
    assert sorted(rows) == sorted([*data.split.train, *data.split.val])
    assert set(rows_of(both.test_dataloader())) == set(data.split.test)
    expected = np.bincount(both.table.ages[rows], minlength=NUM_AGES)
    assert both.train_age_counts().tolist() == expected.tolist()
    assert both.describe()["split_hash"] == data.describe()["split_hash"]


def test_a_batch_holds_images_years_group_gender_and_row(data: UTKFaceDataModule) -> None:
    batch = next(iter(data.train_dataloader()))
    assert {key: (value.dtype, tuple(value.shape)) for key, value in batch.items()} == {
        "images": (torch.uint8, (7, 3, 16, 16)),
        "years": (torch.int64, (7,)),
        "group": (torch.int64, (7,)),
        "gender": (torch.int64, (7,)),
        "row": (torch.int64, (7,)),
    }


def test_images_are_channels_last_in_memory(data: UTKFaceDataModule) -> None:
    images = next(iter(data.train_dataloader()))["images"]
    assert images.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("cache", [True, False])
def test_every_image_has_its_own_labels(cache: bool, tmp_path: Path) -> None:
    data = make_data(cache=cache, cache_dir=tmp_path)
    seen = 0
    for loader in (data.train_dataloader(), data.val_dataloader(), data.test_dataloader()):
        for batch in loader:
            for image, years, group, gender in zip(
                batch["images"], batch["years"], batch["group"], batch["gender"], strict=True
            ):
                assert labels_in(image) == (int(years), int(gender))
                assert AGES[int(group)] == int(years)
                seen += 1
    assert seen == NUM_FACES


def test_rows_are_those_of_the_table(data: UTKFaceDataModule) -> None:
    for batch in data.evaluation_loader("all"):
        names = [data.table.names[int(row)] for row in batch["row"]]
        assert [int(name.split("_")[0]) for name in names] == batch["years"].tolist()


def test_one_image_is_given_without_a_batch(data: UTKFaceDataModule) -> None:
    item = data.dataset("test")[3]
    assert item["images"].shape == (3, 16, 16)
    assert int(item["row"]) == data.split.test[3]


def test_a_batch_may_be_written_to_without_changing_the_cache(data: UTKFaceDataModule) -> None:
    dataset = data.dataset("val")
    dataset.__getitems__([0, 1])["images"].zero_()
    assert dataset.__getitems__([0, 1])["images"].any()


def test_the_cache_changes_no_pixel(data: UTKFaceDataModule) -> None:
    without = make_data()
    for one, other in zip(data.evaluation_loader("all"), without.evaluation_loader("all"), strict=True):
        assert torch.equal(one["images"], other["images"])
        assert torch.equal(one["row"], other["row"])


@pytest.mark.timeout(60)
def test_a_worker_process_gives_the_same_batches(data: UTKFaceDataModule) -> None:
    with_worker = make_data(num_workers=1)
    for one, other in zip(data.test_dataloader(), with_worker.test_dataloader(), strict=True):
        assert torch.equal(one["images"], other["images"])
        assert torch.equal(one["years"], other["years"])


def test_pixels_that_stay_on_the_device_give_the_same_batches(data: UTKFaceDataModule, tmp_path: Path) -> None:
    resident = make_data(cache=True, cache_dir=tmp_path, resident=True)
    for part in (*PARTS, "all"):
        loaders = [module.evaluation_loader(part, torch.device("cpu")) for module in (resident, data)]
        for one, other in zip(*loaders, strict=True):
            assert all(torch.equal(one[key], other[key]) for key in other)
            assert one["images"].is_contiguous(memory_format=torch.channels_last)


def test_pixels_are_copied_to_the_device_once_for_all_parts_and_again_only_after_the_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = []

    def copy_to(pixels: np.ndarray, device: torch.device, rows: None) -> torch.Tensor:
        copies.append(device)
        return torch.from_numpy(np.array(pixels)).to(device)

    monkeypatch.setattr(datamodule_module, "copy_to", copy_to)
    data = make_data(cache=True, cache_dir=tmp_path, resident=True)
    device = torch.device("cpu")
    for part in ("train", "val"):
        data.dataset(part, device)
    data.teardown("fit")
    data.dataset("test", device)
    assert copies == [device]
    data.evaluation_loader("test", device)
    assert copies == [device]
    data.teardown("test")
    data.dataset("test", device)
    assert copies == [device, device]
    assert data.resident_bytes == data.pixels.nbytes


def test_an_evaluation_copies_the_images_of_its_part_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copies = []
    copy_to = datamodule_module.copy_to

    def copy_and_count(*arguments: object) -> torch.Tensor:
        copies.append(copy_to(*arguments))
        return copies[-1]

    monkeypatch.setattr(datamodule_module, "copy_to", copy_and_count)
    data = make_data(cache=True, cache_dir=tmp_path, resident=True)
    loader = data.evaluation_loader("test", torch.device("cpu"))
    assert [len(copy) for copy in copies] == [len(data.split.test)]
    assert data.resident_bytes == copies[0].nbytes
    assert rows_of(loader) == data.split.test.tolist()


@pytest.mark.parametrize(("resident", "fit"), [(None, False), (False, True)])
def test_pixels_stay_in_the_map_where_they_do_not_fit_or_are_not_to_move(
    resident: bool | None, fit: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datamodule_module, "fits", lambda *_: fit)
    monkeypatch.setattr(datamodule_module, "copy_to", lambda *_: pytest.fail("they were copied"))
    make_data(cache=True, cache_dir=tmp_path, resident=resident).dataset("train", torch.device("cpu"))


def test_worker_processes_read_the_map_even_where_the_pixels_would_fit_on_the_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datamodule_module, "fits", lambda *_: True)
    monkeypatch.setattr(datamodule_module, "copy_to", lambda *_: pytest.fail("they were copied"))
    make_data(cache=True, cache_dir=tmp_path, num_workers=1).dataset("train", torch.device("cpu"))


@pytest.mark.parametrize("options", [{"num_workers": 2}, {"cache": False}])
def test_pixels_cannot_be_asked_to_stay_on_the_device_with_workers_or_without_a_cache(
    options: dict[str, object], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"data\.resident=true with .*; use data\.num_workers=0 and data\.cache=true"):
        make_data(**{"cache": True, "cache_dir": tmp_path, "resident": True} | options)


@pytest.mark.parametrize(
    ("eval_batch_size", "device", "batches"),
    [
        (None, "cpu", [3, 3, 3, 3, 3, 3, 1]),
        (None, "cuda", [12, 7]),  # four times as many
        (7, "cpu", [7, 7, 5]),
        (7, "cuda", [7, 7, 5]),
    ],
)
def test_an_evaluation_has_a_batch_size_of_its_own(
    eval_batch_size: int | None, device: str, batches: list[int]
) -> None:
    data = make_data(batch_size=3, eval_batch_size=eval_batch_size)
    loader = data.evaluation_loader("test", torch.device(device))
    assert len(loader) == len(batches)
    assert loader.batch_size == batches[0]
    if device == "cpu":
        assert [len(batch["row"]) for batch in loader] == batches
        assert rows_of(loader) == data.split.test.tolist()


def test_the_batch_size_of_the_evaluation_changes_no_training_batch() -> None:
    assert {len(batch["row"]) for batch in make_data(batch_size=13, eval_batch_size=7).train_dataloader()} == {13}


# Parts and order


@pytest.mark.parametrize("part", ["val", "test"])
def test_evaluation_gives_every_image_of_its_part_once_in_order(part: str, data: UTKFaceDataModule) -> None:
    assert rows_of(data.evaluation_loader(part)) == data.split.rows(part).tolist()


def test_all_three_parts_are_every_usable_image_once(data: UTKFaceDataModule) -> None:
    assert sorted(rows_of(data.evaluation_loader("all"))) == list(range(NUM_FACES))


def test_an_epoch_gives_every_training_image_once(data: UTKFaceDataModule) -> None:
    assert sorted(rows_of(data.train_dataloader())) == data.split.train.tolist()


def epoch_order(seed: int, epoch: int, **options: object) -> list[int]:
    loader = make_data(seed=seed, **options).train_dataloader()
    loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
    return rows_of(loader)


def test_the_order_follows_from_the_seed_and_the_epoch_alone() -> None:
    first = epoch_order(seed=1, epoch=2)
    torch.manual_seed(99)
    np.random.seed(99)
    torch.rand(10)
    assert epoch_order(seed=1, epoch=2) == first


def test_another_epoch_and_another_seed_have_another_order() -> None:
    orders = {tuple(epoch_order(seed, epoch)) for seed in (0, 1) for epoch in (0, 5)}
    assert len(orders) == 4


def test_the_training_images_do_not_depend_on_the_seed_of_their_order() -> None:
    assert sorted(epoch_order(seed=0, epoch=0)) == sorted(epoch_order(seed=1, epoch=0))


def test_the_split_depends_on_its_own_seed() -> None:
    ids = [make_data(split_seed=split_seed, seed=seed).manifest_id for split_seed, seed in ((0, 0), (0, 1), (1, 0))]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize(
    ("batch_size", "batches"),
    [
        (16, [16, 16, 16, 16]),  # the last batch would have one of the 65 training images
        (32, [32, 32]),
        (10, [10, 10, 10, 10, 10, 10, 5]),
        (63, [63, 2]),
        (100, [65]),
        (1, [1] * 65),
    ],
)
def test_a_last_batch_of_one_training_image_is_dropped_and_no_other(batch_size: int, batches: list[int]) -> None:
    data = make_data(batch_size=batch_size)
    assert len(data.split.train) == 65  # 96: test 19.2 -> 19; val 0.15 x 77 = 11.55 -> 12
    assert [len(batch["row"]) for batch in data.train_dataloader()] == batches


def test_a_last_batch_of_one_image_is_kept_in_evaluation() -> None:
    data = make_data(batch_size=9)
    assert len(data.split.test) == 19
    assert [len(batch["row"]) for batch in data.test_dataloader()] == [9, 9, 1]


def test_a_sample_is_split_by_the_same_rule() -> None:
    data = make_data(limit=40)
    assert [len(data.split.rows(part)) for part in PARTS] == [27, 5, 8]  # 8; 0.15 x 32 = 4.8


def test_a_sample_depends_on_no_seed_so_its_splits_are_of_one_data_set() -> None:
    drawn = [make_data(limit=40, split_seed=split_seed, seed=seed) for split_seed, seed in ((0, 0), (0, 1), (1, 0))]
    assert drawn[0].table.names == drawn[1].table.names == drawn[2].table.names
    assert drawn[0].manifest_id == drawn[1].manifest_id != drawn[2].manifest_id


def test_a_manifest_takes_the_place_of_a_new_split(tmp_path: Path) -> None:
    first = make_data(split_seed=3)
    path = save_manifest(tmp_path, first.manifest)
    again = make_data(split_seed=0, split_file=path)
    assert again.manifest_id == first.manifest_id
    assert again.describe()["leak_control"] is None


def test_setting_up_twice_scans_once() -> None:
    source = MemorySource(FILES)
    data = make_data(source=source)
    data.setup("test")
    assert source.reads == Counter(list(FILES))


def test_a_source_may_be_given_as_a_path(face_folder: Path, tmp_path: Path) -> None:
    data = UTKFaceDataModule(face_folder, image_size=16, cache_dir=tmp_path)
    data.setup()
    assert len(data.table) == 96
    assert data.describe()["root"] == face_folder.name


def test_a_path_without_anything_is_told_when_it_is_given(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match="does not exist"):
        UTKFaceDataModule(tmp_path / "nowhere")


# Files that cannot be used


def with_bad(num_bad: int, num_files: int) -> MemorySource:
    good = dict(list(FILES.items())[: num_files - num_bad])
    assert len(good) == num_files - num_bad
    return MemorySource(good | {name_of(200 + number, 0): b"" for number in range(num_bad)})


def test_files_that_cannot_be_used_are_left_out_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        data = make_data(source=with_bad(2, 50))
    assert sorted(rows_of(data.evaluation_loader("all"))) == np.flatnonzero(data.table.usable).tolist()
    assert len(data.dataset("all")) == 48
    assert "2 of 50 files of memory cannot be used" in caplog.text
    assert "age 200 is not in 0 to 120" in caplog.text


@pytest.mark.parametrize(
    ("num_bad", "num_files", "share"), [(1, 20, 0.05), (29, 100, 0.29), (3, 30, 0.1), (7, 25, 0.28)]
)
def test_exactly_the_share_that_may_be_skipped_is_allowed(num_bad: int, num_files: int, share: float) -> None:
    make_data(source=with_bad(num_bad, num_files), max_skipped=share)


@pytest.mark.parametrize(("num_bad", "num_files", "share"), [(2, 20, 0.05), (30, 100, 0.29), (1, 20, 0.0)])
def test_more_than_the_share_that_may_be_skipped_is_an_error(num_bad: int, num_files: int, share: float) -> None:
    with pytest.raises(
        InputError, match=rf"^{num_bad} of {num_files} files of memory cannot be used.*data\.max_skipped"
    ):
        make_data(source=with_bad(num_bad, num_files), max_skipped=share)


def test_nothing_that_can_be_used_is_an_error_whatever_may_be_skipped() -> None:
    with pytest.raises(InputError, match=r"12 of 12 files of memory cannot be used.*nothing is left"):
        make_data(source=with_bad(12, 12), max_skipped=1.0)


def test_too_few_images_are_an_error() -> None:
    with pytest.raises(InputError, match="4 usable images are too few"):
        make_data(limit=4)


# The description for the record


def test_training_ages_are_counted_by_year(data: UTKFaceDataModule) -> None:
    counts = data.train_age_counts()
    assert counts.shape == (NUM_AGES,)
    assert int(counts.sum()) == len(data.split.train)
    assert {age: int(counts[age]) for age in range(NUM_AGES) if counts[age]} == dict(
        Counter(int(data.table.names[row].split("_")[0]) for row in data.split.train)
    )


def test_the_description_is_json_and_counts_every_part() -> None:
    data = make_data(source=with_bad(2, 50))
    description = data.describe()
    assert json.loads(json.dumps(description)) == description
    assert description["counts"] == {
        "available": 50,
        "files": 50,
        "skipped": 2,
        "dropped": {"age_outside_groups": 0, "conflicting_duplicates": 0, "exact_duplicates": 0},
        "joined": {"photographs": 0, "files": 0},
        # of 48: 9.6 -> 10; 0.15 x 38 = 5.7 -> 6
        "train": 32,
        "val": 6,
        "test": 10,
    }
    assert {part: sum(numbers) for part, numbers in description["groups"].items()} == {
        "train": 32,
        "val": 6,
        "test": 10,
    }  # type: ignore[attr-defined]
    assert description["skipped_reasons"] == {"age 200 is not in 0 to 120": 1, "age 201 is not in 0 to 120": 1}
    assert description["split_hash"] == data.manifest_id


def test_a_sample_is_described_with_the_number_of_files_it_was_drawn_from() -> None:
    data = make_data(source=with_bad(0, 50), limit=40)
    counts = data.describe()["counts"]
    assert (counts["available"], counts["files"]) == (50, 40)  # pyright: ignore


@pytest.mark.parametrize("cache", [True, False])
def test_the_description_tells_whether_the_images_are_cached(cache: bool, tmp_path: Path) -> None:
    assert make_data(cache=cache, cache_dir=tmp_path).describe()["cached"] is cache


def test_the_description_counts_the_images_of_all_parts_by_year_of_age(data: UTKFaceDataModule) -> None:
    counts = data.describe()["age_counts"]
    assert isinstance(counts, list) and len(counts) == NUM_AGES
    assert {age: number for age, number in enumerate(counts) if number} == dict.fromkeys(AGES, 12)
