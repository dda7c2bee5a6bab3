"""W&B's own agent runs the trials of a sweep that the test server proposes; no real service was asked."""

import sys

import pytest
import yaml
from paths import ROOT
from shell import TINY
from wandb_server import WandbServer

# The agent asks every 5 seconds, and ends where 3 of the first trials fail.
AGENT = "import wandb.wandb_agent as agent; agent.Agent.POLL_INTERVAL = 0.2; agent.run_agent('tester/agegender/sweep1')"


@pytest.fixture
def server(shell):
    with WandbServer() as server:
        shell.environment |= server.environment()
        sweep = yaml.safe_load((ROOT / "docs/wandb_sweep.yaml").read_text())
        own = [*TINY, "logger=wandb", "name=sweep", "trainer.max_epochs=300"]
        command = ["${env}", sys.executable, "${program}", *own, "${args_no_hyphens}"]
        server.sweep_config = yaml.safe_dump({**sweep, "command": command})
        server.program = str(ROOT / sweep["program"])
        yield server
    assert not server.unknown, server.unknown


def test_an_agent_runs_trials_each_in_a_directory_of_its_own_and_one_report_has_them_all(shell, server):
    jobs = {run: f"sweep/tiny/plain/0/wandb-{run}" for run in ("aaa", "bbb", "ccc")}
    jobs["ddd"] = "sweep/tiny/weighted/0/wandb-ddd"

    def has_epochs(run: str) -> bool:
        log = shell.folder / "runs" / jobs[run] / "train.log"
        return log.exists() and "epoch 2/" in log.read_text()

    few = {"loss": "plain", "trainer.max_epochs": 1}
    server.trials = [
        ("aaa", {**few, "optimizer.lr": 0.001}),
        ("bbb", {**few, "optimizer.lr": 0.01}),
        ("ccc", {**few, "optimizer.lr": 0.01}),  # the same values again
        ("ddd", {"loss": "weighted", "optimizer.lr": 0.001}),  # too long, and stopped early
    ]
    server.to_stop = {"ddd": has_epochs}
    finished = shell.run(sys.executable, "-c", AGENT)
    assert finished.code == 0, finished.output

    records = {run: shell.record(job) for run, job in jobs.items()}
    assert set(server.runs) == set(jobs)
    assert {run: record["status"] for run, record in records.items()} == {
        "aaa": "complete",
        "bbb": "complete",
        "ccc": "complete",
        "ddd": "pruned",
    }
    for run, job in jobs.items():
        sent = server.runs[run]
        assert sent.display_name == job.removeprefix("sweep/")
        assert sent.summary()["status"] == records[run]["status"]
        assert records[run]["wandb_id"] == run
        assert (
            sent.exit_code == 0 and sent.config["optimizer"]["value"]["lr"] == records[run]["config"]["optimizer"]["lr"]
        )
    for run in ("aaa", "bbb", "ccc"):
        best = records[run]["val"]["mean_accuracy"]
        assert server.runs[run].summary()["best/mean_accuracy"] == pytest.approx(best)
    report = shell.agegender("report", "runs/sweep")
    assert report.code == 0, report.output
    assert report.output.count("pruned after epoch") == 1
