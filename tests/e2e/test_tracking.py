import json
import sys
from pathlib import Path

import pytest

WANDB = str(Path(sys.executable).with_name("wandb"))


def inspect(shell, folder):
    """Read an offline run back with W&B's own client."""
    (log,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    finished = shell.run(WANDB, "leet", "inspect", "--summary", "--json", str(log))
    assert finished.code == 0, finished.output
    return finished.output, json.loads(finished.output[finished.output.index("{") :])


def test_a_job_without_a_key_writes_an_offline_run_with_the_keys_of_the_contract(trained):
    job = trained.folder / "runs/try/tiny/weighted/0"
    text, summary = inspect(trained, job)
    for key in (
        *("train/loss", "val/age_accuracy", "test/age_accuracy", "test/gender_accuracy", "test/age_mae_years"),
        *("model/params/total", "model/params/trainable", "model/gmacs", "time/fit_seconds", "time/images_per_second"),
        *("test/age_confusion", "test/gender_confusion", "best/epoch"),
    ):
        assert key in text, f"{key} is missing in {text[:3000]}"
    record = trained.record("try/tiny/weighted/0")
    assert record["wandb_id"] in text
    assert str(record["num_params"]) in text.replace(",", "")
    assert '"lr"' in text or "optimizer" in text
    assert summary


def test_two_jobs_of_a_sweep_have_runs_of_their_own_and_the_sweep_has_one(shell):
    finished = shell.train("-m", "loss=plain,weighted", "trainer.max_epochs=1", "name=two", "logger=wandb")
    assert finished.code == 0, finished.output
    ids = [shell.record(f"two/tiny/{loss}/0")["wandb_id"] for loss in ("plain", "weighted")]
    assert len(set(ids)) == 2
    for loss, run_id in zip(("plain", "weighted"), ids, strict=True):
        text, _ = inspect(shell, shell.folder / f"runs/two/tiny/{loss}/0")
        assert run_id in text
    text, _ = inspect(shell, shell.folder / "runs/two")
    assert "comparison" in text
    assert finished.output.count("agegender sync") == 3


@pytest.mark.parametrize("failure", ["no network", "no directory"])
def test_wandb_that_cannot_work_does_not_fail_the_job(shell, failure):
    shell.environment |= {"WANDB_API_KEY": "0" * 40, "WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_INIT_TIMEOUT": "2"}
    if failure == "no directory":
        (shell.folder / "runs/default/tiny/plain/0").mkdir(parents=True)
        (shell.folder / "runs/default/tiny/plain/0/wandb").write_text("a file where W&B wants a directory")
    finished = shell.train("logger=wandb", "trainer.max_epochs=1")
    assert finished.code == 0, finished.output
    assert "W&B" in finished.output
    assert shell.record("default/tiny/plain/0")["status"] == "complete"


def test_the_csv_logger_writes_every_epoch(shell):
    assert shell.train("logger=csv").code == 0
    lines = (shell.folder / "runs/default/tiny/plain/0/csv/version_0/metrics.csv").read_text().splitlines()
    assert "val/age_accuracy" in lines[0] and "train/loss" in lines[0]
    assert len(lines) >= 3


def test_sync_finds_the_offline_run_of_a_job(trained):
    finished = trained.agegender("sync", "runs/try", "--dry-run")
    assert finished.code == 0, finished.output
    assert (
        "Would sync 1 run" in finished.output and trained.record("try/tiny/weighted/0")["wandb_id"] in finished.output
    )
