import json
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest
from wandb_server import WandbServer

WANDB = str(Path(sys.executable).with_name("wandb"))


@pytest.fixture
def server(shell):
    with WandbServer() as server:
        shell.environment |= server.environment()
        yield server
    assert not server.unknown, server.unknown


def epochs(run) -> list[int]:
    """The epochs that W&B has validation scores of, in the order in which they came."""
    return [row["epoch"] for row in run.history() if "val/loss" in row]


def test_a_sweep_on_the_network_is_a_run_for_each_job_and_one_for_the_comparison(shell, server):
    finished = shell.train("-m", "loss=plain,weighted", "name=two", "logger=wandb")
    assert finished.code == 0 and "W&B failed" not in finished.output, finished.output
    records = {loss: shell.record(f"two/tiny/{loss}/0") for loss in ("plain", "weighted")}
    for loss, record in records.items():
        run = server.runs[record["wandb_id"]]
        assert (run.group, run.display_name, epochs(run)) == ("two", f"tiny/{loss}/0", [1, 2])
        assert run.config["loss_name"]["value"] == loss
        assert run.summary()["test/age_accuracy"] == pytest.approx(record["test"]["age_accuracy"])
        assert run.summary()["status"] == "complete"
    (comparison,) = set(server.runs) - {record["wandb_id"] for record in records.values()}
    assert any("comparison" in row for row in server.runs[comparison].history())
    splits = [artifact for artifact in server.artifacts if artifact.kind == "split"]
    assert {artifact.name for artifact in splits} == {f"split-{records['plain']['data']['split_hash'][:12]}"}
    assert {run for artifact in splits for run in artifact.used_by} == set(server.runs)
    (report,) = [artifact for artifact in server.artifacts if artifact.kind == "report"]
    assert report.run == comparison and b"<html" in report.files["index.html"]
    assert all(artifact.committed for artifact in server.artifacts)


def test_jobs_that_differ_in_a_rate_have_names_of_their_own_and_the_failed_one_says_why(shell, server):
    shell.environment |= {"WANDB_NAME": "mine", "WANDB_RUN_ID": "ab12"}  # which name one run
    finished = shell.train("-m", "optimizer.lr=1e-3,1e30", "trainer.max_epochs=1", "name=rates", "logger=wandb")
    assert finished.code == 1, finished.output
    for variable in ("WANDB_NAME", "WANDB_RUN_ID"):
        assert finished.output.count(f"{variable} has no effect in a sweep") == 1
    assert "ab12" not in server.runs
    runs = {run.display_name: run for run in server.runs.values() if "comparison" not in str(run.display_name)}
    good, failed = (f"tiny/plain/0/optimizer.lr-{rate}" for rate in ("0.001", "1e30"))
    assert set(runs) == {good, failed}
    assert runs[good].summary()["status"] == "complete" and runs[good].config["resolved"]["value"]["threads"] == 1
    assert runs[failed].summary()["status"] == "failed" and "diverged" in runs[failed].summary()["error"]
    assert "FloatingPointError" in runs[failed].log() and "Traceback" in runs[failed].log()
    record = shell.record(f"rates/{good}")
    assert record["tracking"]["wandb"]["url"] in finished.output
    page = (shell.folder / "runs/rates/report/index.html").read_text()
    assert f'href="{record["tracking"]["wandb"]["url"]}"' in page


def test_a_job_that_fails_before_its_training_says_why_in_its_run(shell, server):
    refused = shell.train("data.root=nowhere", "logger=wandb")
    assert refused.code == 2, refused.output
    (run,) = server.runs.values()
    assert (run.display_name, run.exit_code, run.summary()["status"]) == ("tiny/plain/0", 1, "failed")
    assert run.summary()["error"].startswith("data.root=nowhere does not exist")
    assert "error: data.root=nowhere does not exist" in run.log()


def test_a_wish_for_offline_wins_over_a_key_and_what_is_sent_later_and_evaluated_is_whole(shell, server):
    assert shell.run(WANDB, "offline").code == 0
    keys = ("name=wish", "logger=[wandb,csv]", "logger.wandb.group=mine", "logger.wandb.notes=half epochs")
    halves = ("data.batch_size=41", "trainer.val_check_interval=0.5")  # two batches an epoch
    trained = shell.train(*keys, *halves, "logger.wandb.log_model=best", f"tags=[{'x' * 65},ok]")
    assert trained.code == 0, trained.output
    assert "W&B offline; to upload the run: agegender sync runs/wish/tiny/plain/0" in trained.output
    job = shell.folder / "runs/wish/tiny/plain/0"
    record = shell.record("wish/tiny/plain/0")
    assert server.num_requests == 0 and record["tracking"] == {}
    assert (job / "csv/version_0/metrics.csv").is_file()

    sent = shell.agegender("sync", "runs/wish", "--project", "faces", "--entity", "team")
    assert sent.code == 0, sent.output
    (run,) = server.runs.values()
    assert (run.project, run.entity, run.group, run.notes) == ("faces", "team", "mine", "half epochs")
    assert (run.job_type, run.display_name, run.exit_code) == ("train", "tiny/plain/0", 0)
    assert {"x" * 64, "ok", "tiny", "plain", "32px"} <= set(run.tags)
    assert epochs(run) == [0.5, 1.0, 1.5, 2.0]
    scores = {key: value for key, value in record["val"].items() if isinstance(value, float)}
    best = {key.removeprefix("best/"): value for key, value in run.summary().items() if key.startswith("best/")}
    assert best == pytest.approx({**scores, "epoch": record["best_epoch"]})
    assert run.config["resolved"]["value"] == record["environment"]
    assert run.config["data_fingerprint"]["value"] == record["data"]["fingerprint"]
    files = {artifact.kind: artifact for artifact in server.artifacts}
    assert files["predictions"].files["predictions.csv"] == (job / "predictions.csv").read_bytes()
    assert files["model"].files["best.ckpt"] == (job / "checkpoints/best.ckpt").read_bytes()
    assert set(files["model"].aliases) == {"best", "latest"}

    shell.environment["WANDB_MODE"] = "online"
    evaluated = shell.evaluate(f"ckpt_path={job}/checkpoints/best.ckpt", "logger=wandb", "output_dir=out")
    assert evaluated.code == 0, evaluated.output
    record = json.loads((shell.folder / "out/record.json").read_text())
    run = server.runs[record["wandb_id"]]
    assert (run.job_type, run.group, run.exit_code) == ("eval", "wish", 0)
    for key in ("age_accuracy", "gender_accuracy", "age_mae_years"):
        assert run.summary()[f"test/{key}"] == pytest.approx(record["test"][key])
    assert "best/epoch" not in run.summary(), "nothing was chosen"
    assert record["tracking"]["wandb"]["url"] == f"{server.url}/tester/agegender/runs/{record['wandb_id']}"
    assert evaluated.output.count(record["tracking"]["wandb"]["url"]) == 1


def test_an_offline_job_killed_twice_is_sent_as_one_run_from_any_directory(shell, server):
    job = "killed/slow/plain/0"
    keys = ("model=slow", "logger=wandb", "logger.wandb.mode=offline", "data.batch_size=4")
    keys += ("trainer.max_epochs=6", "name=killed")
    for epoch, number in ((2, signal.SIGTERM), (4, signal.SIGKILL)):
        process = shell.start(*shell.train_command(*keys))
        shell.wait_for(job, f"epoch {epoch}/6", process)
        process.send_signal(number)
        process.communicate()
    assert shell.train(*keys).code == 0
    assert not server.runs
    run_id = shell.record(job)["wandb_id"]
    first, second, _ = sorted((shell.folder / "runs" / job / "wandb").glob(f"offline-run-*-{run_id}"))
    # As if the first had been killed while W&B wrote; the second was, before it had written anything.
    file = first / f"run-{run_id}.wandb"
    os.truncate(file, file.stat().st_size - 5)
    (second / f"run-{run_id}.wandb").write_bytes((second / f"run-{run_id}.wandb").read_bytes()[:7])
    runs = str(shell.folder / "runs/killed")
    (shell.folder / "elsewhere").mkdir()
    shell.folder /= "elsewhere"

    sent = shell.agegender("sync", runs)
    assert sent.code == 0, sent.output
    assert "removed an incomplete record at the end" in sent.output and "skipped: 1 " in sent.output
    (run,) = server.runs.values()
    assert epochs(run) == sorted(set(epochs(run))) and {1, 2, 6} <= set(epochs(run)), "both attempts, in their order"
    assert run.overwritten == 0
    assert run.summary()["status"] == "complete"
    splits = [artifact for artifact in server.artifacts if artifact.kind == "split"]
    assert splits and all(artifact.committed and artifact.files for artifact in splits)

    num_rows = len(run.history())
    assert shell.agegender("sync", runs).code == 0
    assert len(server.runs) == 1 and len(run.history()) == num_rows, "what has been sent is not sent again"


def test_sync_tells_what_could_not_be_sent(shell, server):
    assert shell.train("logger=wandb", "logger.wandb.mode=offline", "trainer.max_epochs=1").code == 0
    (artifacts,) = shell.folder.glob("runs/default/tiny/plain/0/wandb/offline-run-*/artifacts")
    shutil.rmtree(artifacts)
    sent = shell.agegender("sync", "runs/default")
    assert sent.code == 1, sent.output
    assert "error: W&B could not upload everything" in sent.output and "no such file" in sent.output
