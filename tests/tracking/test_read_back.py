"""What W&B's own library sends and stores: runs on the test server, and offline files read by W&B's own reader."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wandb
from tracked import tracked_record
from wandb_server import WandbServer

from agegender.records.record import Record
from agegender.system.errors import InputError
from agegender.system.signals import Terminated
from agegender.tracking.job import JobTracker
from agegender.tracking.wandb_run import forget_names_of_one_run

WANDB = str(Path(sys.executable).with_name("wandb"))
SETTINGS: dict[str, Any] = {"project": None, "entity": None, "mode": None, "group": None, "notes": None}


@pytest.fixture(autouse=True)
def nobodys_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hide the key and the settings of the machine's user, and work in a directory of the test."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    for name in ("HOME", "WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    wandb.teardown()  # settings are read once
    yield
    wandb.teardown()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WandbServer]:
    """W&B's client uses this server, with a key."""
    with WandbServer() as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield server
    assert not server.unknown, server.unknown


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The directory of a job."""
    folder = tmp_path / "runs/try/vgg11/dex/3"
    folder.mkdir(parents=True)
    return folder


def started(record: Record, folder: Path, **settings: Any) -> JobTracker:
    return JobTracker({"wandb": {**SETTINGS, **settings}}, record, folder, folder.parents[2])


LABELS = {"group": [0, 1], "group_predicted": [1, 1], "gender": [0, 1], "gender_predicted": [0, 0]}


def run_once(folder: Path, labels: dict[str, list[int]] | None = None, **settings: Any) -> Record:
    """Run a job that logs a value and ends."""
    record = tracked_record()
    tracker = started(record, folder, **settings)
    tracker.loggers[0].log_metrics({"train/loss": 1.0}, step=1)
    record.status = "complete"
    tracker.finish(record, labels, ("young", "old"))
    return record


def offline_summary(folder: Path) -> dict[str, Any]:
    """Return the summary of a directory's only offline run, as W&B's own reader shows it."""
    (path,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    command = [WANDB, "leet", "inspect", "--summary", "--json", str(path)]
    read = json.loads(subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout)
    return read.get("summary", read)


def test_the_best_scores_are_the_records_after_a_resume_and_on_a_tie_and_a_stopped_attempt_is_preempted(
    server: WandbServer, folder: Path
) -> None:
    record = tracked_record()
    for epochs in ({1: 0.5, 2: 0.9, 3: 0.6}, {4: 0.5, 5: 0.9}):
        tracker = started(record, folder)
        done = iter(epochs)
        tracker.describe(record, lambda done=done: next(done))
        for epoch, score in epochs.items():
            tracker.loggers[0].log_metrics({"val/mean_accuracy": score, "val/loss": 1 / epoch}, step=epoch)
        if 5 not in epochs:
            tracker.fail(Terminated(signal.SIGTERM))
            (run,) = server.runs.values()
            assert (run.exit_code, run.preempted, run.summary()["status"]) == (143, True, "interrupted")
    record.best_epoch = 2  # the first of the tie
    record.val = {"mean_accuracy": 0.9, "loss": 0.5}
    record.status = "complete"
    tracker.finish(record, None, ())
    (run,) = server.runs.values()
    best = {key: value for key, value in run.summary().items() if key.startswith("best/")}
    assert best == {"best/mean_accuracy": 0.9, "best/loss": 0.5, "best/epoch": 2}
    assert (run.summary()["val/mean_accuracy"], run.summary()["val/loss"]) == (0.9, 0.2), "last, no aggregates"
    assert [row["epoch"] for row in run.history()] == [1, 2, 3, 4, 5] and run.overwritten == 0
    assert (run.exit_code, run.summary()["status"]) == (0, "complete")


def test_a_failed_run_says_why_and_a_mistake_of_the_users_in_one_line(server: WandbServer, folder: Path) -> None:
    tracker = started(tracked_record(), folder)
    logging.getLogger("agegender.jobs.fit").warning("epoch 1/2: loss 1.0")
    try:
        raise ZeroDivisionError("by zero")
    except ZeroDivisionError as error:
        tracker.fail(error)
    (run,) = server.runs.values()
    assert (run.exit_code, run.preempted) == (1, False)
    assert run.summary()["status"] == "failed" and run.summary()["error"] == "ZeroDivisionError: by zero"
    assert "epoch 1/2: loss 1.0" in run.log() and 'raise ZeroDivisionError("by zero")' in run.log()
    second = tracked_record()
    started(second, folder).fail(InputError("data.limit=3 is too small"))
    run = server.runs[str(second.wandb_id)]
    assert run.summary()["error"] == "data.limit=3 is too small" and "error: data.limit=3" in run.log()
    assert "Traceback" not in run.log()


def test_wandbs_variables_set_what_the_configuration_does_not_and_a_bad_tag_costs_nothing(
    server: WandbServer, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {
        "PROJECT": "theirs",
        "ENTITY": "team",
        "RUN_GROUP": "night",
        "JOB_TYPE": "ablation",
        "TAGS": f"one, two,,{'x' * 65}",
        "NAME": "mine",
        "NOTES": "from the shell",
        "DIR": str(tmp_path / "elsewhere"),
    }
    for name, value in variables.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    record = tracked_record()
    record.config["tags"] = ["first", "", "y" * 65]
    started(record, folder).finish(record, None, ())
    run = server.runs[str(record.wandb_id)]
    assert (run.project, run.entity, run.group, run.job_type) == ("theirs", "team", "night", "ablation")
    assert (run.display_name, run.notes) == ("mine", "from the shell")
    assert run.tags == ["first", "y" * 64, "one", "two", "x" * 64]
    assert list((tmp_path / "elsewhere/wandb").glob(f"run-*-{record.wandb_id}")) and not list(folder.iterdir())

    forget_names_of_one_run()  # as a sweep does
    own = run_once(folder, project="faces", entity="me", group="own", notes="from the configuration")
    run = server.runs[str(own.wandb_id)]
    assert (run.project, run.entity, run.group, run.notes) == ("faces", "me", "own", "from the configuration")
    assert run.display_name == "vgg11/dex/3"


@pytest.mark.parametrize("wish", ["offline", "disabled"])
def test_a_wish_in_wandbs_own_settings_is_not_overruled_by_a_key(wish: str, server: WandbServer, folder: Path) -> None:
    subprocess.run([WANDB, wish], check=True, capture_output=True, timeout=120)
    server.num_requests = 0
    record = run_once(folder)
    wandb.teardown()  # waits for all that would be sent
    assert server.num_requests == 0 and record.tracking == {}
    assert len(list(folder.glob("wandb/*run-*"))) == (wish == "offline")


def test_the_address_is_in_the_log_and_in_the_record(
    server: WandbServer, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        record = run_once(folder)
    address = f"{server.url}/tester/agegender/runs/{record.wandb_id}"
    assert caplog.messages.count(f"W&B: {address}") == 1
    assert record.tracking == {"wandb": {"url": address}}


def test_names_that_the_server_would_refuse_lose_their_beginning(server: WandbServer, folder: Path) -> None:
    long = folder / "-".join(f"key{number}.value" for number in range(20))
    record = tracked_record()
    tracker = JobTracker({"wandb": {**SETTINGS, "group": "g" * 200}}, record, long, folder.parents[2])
    tracker.finish(record, None, ())
    run = server.runs[str(record.wandb_id)]
    assert run.display_name is not None and run.group is not None
    assert len(run.display_name) == len(run.group) == 128
    assert run.display_name.startswith("...") and run.display_name.endswith("key18.value-key19.value")


def test_a_key_that_the_server_refuses_leaves_an_offline_run(
    server: WandbServer, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.refusal = 401
    record = run_once(folder)
    assert "W&B cannot start online" in caplog.text and "401" in caplog.text
    assert offline_summary(folder)["status"] == "complete" and record.tracking == {}


def test_a_server_that_breaks_holds_up_no_job_and_gets_the_rest_later(
    server: WandbServer, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_FINISH_TIMEOUT", "2")
    record = tracked_record()
    tracker = started(record, folder)
    tracker.loggers[0].log_metrics({"train/loss": 1.0}, step=1)
    tracker.describe(record)
    deadline = time.monotonic() + 60
    while "wandb" not in record.tracking:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    server.refusal = 500
    tracker.loggers[0].log_metrics({"train/loss": 0.5}, step=2)
    record.status = "complete"
    tracker.finish(record, None, ())
    (place,) = folder.glob("wandb/run-*")
    mend = f"to upload the rest: wandb sync --no-skip-online {place}"
    assert f"W&B has not taken everything in 2 s; {mend}" in caplog.messages
    server.refusal = None
    command = [WANDB, "sync", "--no-skip-online", str(place)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    run = server.runs[str(record.wandb_id)]
    assert (run.summary()["status"], run.history()[-1]["train/loss"]) == ("complete", 0.5)


def test_a_directory_that_cannot_be_written_is_replaced_by_the_jobs(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "file" / "wandb"))
    run_once(folder)
    assert caplog.text.count("cannot be written") == 1
    assert offline_summary(folder)["status"] == "complete"


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("MODE", "ofline", "mode=ofline: Input should be 'online', 'offline'"),
        ("RUN_ID", "a/b", "Run ID cannot contain the characters"),
        ("BASE_URL", "nonsense", "base_url=nonsense: Input should be a valid URL"),
    ],
)
def test_a_wrong_setting_of_wandbs_own_is_one_line_and_no_job_is_lost(
    name: str, value: str, reason: str, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(f"WANDB_{name}", value)
    assert run_once(folder).status == "complete"
    (message,) = caplog.messages
    assert reason in message and message.endswith("check the variables WANDB_*); record.json is still written")


def test_predictions_are_an_artifact_and_where_it_is_asked_for_the_checkpoint_as_the_best_and_the_latest(
    server: WandbServer, folder: Path
) -> None:
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints/best.ckpt").write_bytes(b"weights")
    (folder / "predictions.csv").write_bytes(b"rows")
    run_once(folder, LABELS, log_model=False)
    assert {artifact.kind for artifact in server.artifacts} == {"run_table", "predictions"}
    server.artifacts.clear()
    record = run_once(folder, LABELS, log_model="best")
    stored = {artifact.name: artifact for artifact in server.artifacts}
    model = stored[f"model-{record.wandb_id}"]
    predictions = stored[f"predictions-{record.wandb_id}"]
    assert (model.kind, set(model.aliases), model.files) == ("model", {"best", "latest"}, {"best.ckpt": b"weights"})
    assert (predictions.kind, predictions.files) == ("predictions", {"predictions.csv": b"rows"})
    assert model.committed and predictions.committed
    assert {"test/age_confusion_table", "test/gender_confusion_table"} <= set(server.runs[record.wandb_id].summary())
