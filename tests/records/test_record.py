"""A run's record: it is read as it was written, and written atomically."""

import errno
import json
import os
import stat
from pathlib import Path

import pytest

from agegender.records import record
from agegender.records.record import Record
from agegender.system.errors import InputError


def full_record() -> Record:
    """Make a record with a value in every field."""
    return Record(
        status="complete",
        name="try",
        choices={"model": "small_cnn", "optimizer.lr": "0.1"},
        config={"seed": 3, "tags": ["a", "b"], "data": {"limit": None}},
        seed=3,
        error=None,
        started="2026-01-01T00:00:00+00:00",
        finished="2026-01-01T01:00:00+00:00",
        wandb_id="ab12",
        git={"commit": "f" * 40, "dirty": False},
        data={"root": "Übung \N{GRINNING FACE}.tar", "counts": {"train": 10}},
        environment={"device": "cpu"},
        num_params=11_520_842,
        num_params_trainable=11_520_842,
        gmacs=1.2630000000000001,
        network=[{"name": "a", "kind": "Linear", "output": [8], "num_params": 9, "macs": 8}],
        coarse_years=True,
        history=[{"epoch": 1, "train_loss": 0.1, "val_loss": None, "seconds": 2.5}],
        time={"fit_seconds": 1.5},
        best_epoch=4,
        val={"age_accuracy": 1 / 3},
        test={"age_accuracy": 0.1 + 0.2, "age_confusion": [[1, 2], [3, 4]]},
    )


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record.write(tmp_path / "job", full_record())
    assert record.read(tmp_path / "job") == full_record()


def test_a_directory_without_a_record_gives_none(tmp_path: Path) -> None:
    assert record.read(tmp_path) is None


def test_writing_again_replaces_the_record_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    record.write(tmp_path, full_record())
    later = full_record()
    later.status = "failed"
    record.write(tmp_path, later)
    assert record.read(tmp_path) == later
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


def test_a_write_that_fails_at_the_end_leaves_the_old_record_and_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record.write(tmp_path, full_record())

    def fail(*_: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no room"):
        record.write(tmp_path, Record("failed", "other", {}, {}, 0))
    assert record.read(tmp_path) == full_record()
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


def test_a_disk_that_is_full_half_way_leaves_the_old_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record.write(tmp_path, full_record())

    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        record.write(tmp_path, Record("failed", "other", {}, {}, 0))
    assert record.read(tmp_path) == full_record()
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


def test_a_record_and_its_name_are_on_the_disk_before_and_after_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    fsync = os.fsync
    replace = os.replace

    def note_sync(descriptor: int) -> None:
        order.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def note_rename(*paths: Path) -> None:
        order.append("rename")
        replace(*paths)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "replace", note_rename)
    record.write(tmp_path, full_record())
    assert order == ["file", "rename", "folder"]


def test_a_number_that_json_does_not_know_is_written_as_none(tmp_path: Path) -> None:
    entry = full_record()
    entry.val = {"age_mae_years": float("nan"), "age_confusion": [[1.0, float("inf")]], "age_accuracy": 0.5}
    record.write(tmp_path, entry)
    read = record.read(tmp_path)
    assert read is not None
    assert read.val == {"age_mae_years": None, "age_confusion": [[1.0, None]], "age_accuracy": 0.5}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1, 2]",
        "null",
        "5",
        '{"schema": 1}',
        "{}",
        '{"schema": 1, "status": "complete", "name": 1}',
        "\x00\x01",
    ],
)
def test_a_file_that_is_no_record_is_refused_by_its_path(tmp_path: Path, text: str) -> None:
    (tmp_path / "record.json").write_text(text)
    with pytest.raises(InputError) as refusal:
        record.read(tmp_path)
    assert str(tmp_path / "record.json") in str(refusal.value)


def test_an_empty_record_is_told_as_such_with_its_mend(tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text("")
    with pytest.raises(InputError, match=r"record \(it is empty\); delete it to run this job again"):
        record.read(tmp_path)


def test_bytes_that_are_no_text_are_refused_by_the_files_path(tmp_path: Path) -> None:
    (tmp_path / "record.json").write_bytes(b"\xff\xfe\x80")
    with pytest.raises(InputError, match=r"record\.json is not a run's record"):
        record.read(tmp_path)


def test_a_record_of_another_schema_is_refused_by_its_path_and_both_numbers(tmp_path: Path) -> None:
    record.write(tmp_path, full_record())
    values = json.loads((tmp_path / "record.json").read_text())
    (tmp_path / "record.json").write_text(json.dumps(values | {"schema": 99}))
    with pytest.raises(InputError, match=r"record\.json has schema 99, this version reads 1;"):
        record.read(tmp_path)


def test_keys_that_a_later_version_adds_are_passed_over(tmp_path: Path) -> None:
    record.write(tmp_path, full_record())
    values = json.loads((tmp_path / "record.json").read_text())
    (tmp_path / "record.json").write_text(json.dumps(values | {"weather": "fine"}))
    assert record.read(tmp_path) == full_record()


def test_all_records_below_a_directory_are_read_in_the_order_of_their_paths(tmp_path: Path) -> None:
    for name in ("b/plain/1", "a/plain/0", "b/plain/0"):
        record.write(tmp_path / name, Record("running", name, {}, {}, 0))
    (tmp_path / "a" / "empty").mkdir()
    found = record.read_all(tmp_path)
    assert [(folder, entry.name) for folder, entry in found] == [
        (tmp_path / name, name) for name in ("a/plain/0", "b/plain/0", "b/plain/1")
    ]


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"schema": 99}', "\x00" * 4096])
def test_a_broken_record_stands_among_the_others_as_a_failed_run(tmp_path: Path, text: str) -> None:
    record.write(tmp_path / "resnet18/plain/1", full_record())
    broken = tmp_path / "resnet18/plain/2"
    broken.mkdir()
    (broken / "record.json").write_text(text)
    (whole_place, whole), (place, entry) = record.read_runs(tmp_path)
    assert (whole_place, whole) == (tmp_path / "resnet18/plain/1", full_record())
    assert (place, entry.status, entry.seed) == (broken, "failed", 2)
    assert entry.choices == {"model": "resnet18", "loss": "plain"}
    assert entry.error is not None
    assert str(broken / "record.json") in entry.error


def test_text_that_utf8_cannot_hold_is_written_with_its_number(tmp_path: Path) -> None:
    record.write_atomically(tmp_path / "deep" / "note.txt", "a\udcffb")
    assert (tmp_path / "deep" / "note.txt").read_bytes() == b"a\\udcffb"


def test_bytes_are_written_as_they_are(tmp_path: Path) -> None:
    record.write_atomically(tmp_path / "deep" / "picture.png", b"\x89PNG\r\n\x00\xff")
    assert (tmp_path / "deep" / "picture.png").read_bytes() == b"\x89PNG\r\n\x00\xff"


def test_a_record_of_before_there_were_curves_and_layers_is_read_without_them(tmp_path: Path) -> None:
    record.write(tmp_path, full_record())
    values = json.loads((tmp_path / "record.json").read_text())
    for key in ("history", "network", "coarse_years"):
        del values[key]
    (tmp_path / "record.json").write_text(json.dumps(values))
    found = record.read(tmp_path)
    assert found is not None
    assert (found.history, found.network, found.coarse_years) == ([], [], None)
    assert found.test == full_record().test
