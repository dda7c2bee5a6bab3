import os
import shutil
import signal

import pytest
from wandb_server import WandbServer


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
    finished = shell.train("-m", "optimizer.lr=1e-3,1e30", "trainer.max_epochs=1", "name=rates", "logger=wandb")
    assert finished.code == 1, finished.output
    runs = {run.display_name: run for run in server.runs.values() if "comparison" not in str(run.display_name)}
    good, failed = (f"tiny/plain/0/optimizer.lr-{rate}" for rate in ("0.001", "1e30"))
    assert set(runs) == {good, failed}
    assert runs[good].summary()["status"] == "complete" and runs[good].config["resolved"]["value"]["threads"] == 1
    assert runs[failed].summary()["status"] == "failed" and "diverged" in runs[failed].summary()["error"]
    log = "".join(text for _, text in sorted(runs[failed].lines["output.log"].items()))
    assert "FloatingPointError" in log and "Traceback" in log
    record = shell.record(f"rates/{good}")
    assert record["tracking"]["wandb"]["url"] in finished.output
    page = (shell.folder / "runs/rates/report/index.html").read_text()
    assert f'href="{record["tracking"]["wandb"]["url"]}"' in page


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
