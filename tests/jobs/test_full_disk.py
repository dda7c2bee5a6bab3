"""A job whose disk is full at one file: one line, a failed job, and with room the same result as ever."""

import errno
import logging
import os
from pathlib import Path
from typing import Any

import pytest
from composing import compose_config
from hydra.core.hydra_config import HydraConfig
from tiny_training import COMPACT, TRAINING, Trains

from agegender.jobs import run
from agegender.jobs.outcomes import Outcome
from agegender.records import record
from agegender.system import files

SETTINGS = (*COMPACT, *TRAINING, "trainer.max_epochs=2", "checkpoint_minutes=1e-6")


@pytest.fixture
def attempt(face_folder: Path, tmp_path: Path, trains: Trains) -> Any:
    """Make one attempt of a sweep's job in the directory `job`, as `train.py` does."""

    def attempt(*overrides: str) -> Outcome:
        given = [*SETTINGS, f"data.root={face_folder}", f"data.cache_dir={tmp_path / 'cache'}", *overrides]
        config = compose_config(*given, f"runs_dir={tmp_path / 'runs'}", with_hydra=True)
        HydraConfig.instance().set_config(config)
        return run._attempt(config, tmp_path / "job", multirun=False)

    return attempt


def fill_disk(monkeypatch: pytest.MonkeyPatch, name: str, *, since: int = 1) -> None:
    """Let the disk refuse a file of this name, from its so many-th write on."""
    replace = os.replace
    num_writes = 0

    def full(source: Any, target: Any) -> None:
        nonlocal num_writes
        num_writes += Path(target).name == name
        if num_writes >= since and Path(target).name == name:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(files.os, "replace", full)


def results(folder: Path) -> tuple[Any, ...]:
    entry = record.read(folder)
    assert entry is not None and entry.status == "complete"
    losses = [(epoch["epoch"], epoch["train_loss"]) for epoch in entry.history]
    return entry.test, entry.val, losses, *((folder / name).read_bytes() for name in PREDICTIONS)


PREDICTIONS = ("predictions.csv", "predictions_val.csv")


@pytest.mark.parametrize(
    ("name", "since", "left"),
    [
        ("checkpoints/last.ckpt", 1, "failed"),
        ("checkpoints/last.ckpt", 3, "failed"),
        ("checkpoints/best.ckpt", 1, "failed"),
        ("predictions.csv", 1, "failed"),
        ("predictions_val.csv", 1, "failed"),
        ("config.yaml", 1, "failed"),
        ("record.json", 1, None),
        ("record.json", 3, "running"),
    ],
)
def test_a_full_disk_is_one_line_and_with_room_the_result_is_that_of_an_undisturbed_job(
    name: str,
    since: int,
    left: str | None,
    attempt: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    job = tmp_path / "job"
    assert attempt().status == "complete"
    expected = results(job)
    job.rename(tmp_path / "undisturbed")
    caplog.clear()
    with monkeypatch.context() as context:
        fill_disk(context, Path(name).name, since=since)
        outcome = attempt()
    line = f"{job / name}: No space left on device; free some space, or choose another disk"
    assert (outcome.status, outcome.reason) == ("failed", line)
    told = [
        entry for entry in caplog.records if entry.levelno >= logging.WARNING and entry.name != "agegender.traceback"
    ]
    assert [entry.getMessage() for entry in told] == [f"error: {line}"]
    entry = record.read(job)
    assert (entry.status if entry is not None else None) == left
    assert not [path.name for path in job.rglob("*") if path.suffix == ".tmp"]
    assert attempt().status == "complete"
    assert results(job) == expected


def test_a_job_that_cannot_be_recorded_says_so_in_the_line_of_its_failure(
    attempt: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "the disk")

    def defect(*_: object) -> None:
        monkeypatch.setattr(record, "write_atomically", full)
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("agegender.jobs.fit.save_predictions", defect)
    outcome = attempt()
    assert (outcome.status, outcome.reason) == ("failed", "ZeroDivisionError: a defect")


def test_a_job_removes_what_a_killed_one_left_in_its_directory(attempt: Any, tmp_path: Path) -> None:
    assert attempt().status == "complete"
    left = [tmp_path / "job" / name for name in ("checkpoints/.best.ckpt.tmp", ".record.json.01234567-1-89abcdef.tmp")]
    for path in left:
        path.touch()
    assert attempt().status == "skipped"
    assert not any(path.exists() for path in left)
