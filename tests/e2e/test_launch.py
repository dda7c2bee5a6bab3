"""Sweeps as processes on this machine."""

import os
import signal
from pathlib import Path

import pytest

from agegender.system.cores import available_cores

pytestmark = pytest.mark.skipif(
    len(available_cores()) < 2 or not Path("/proc/self/cmdline").exists(), reason="needs two cores, and /proc"
)
LOCAL = ("-m", "hydra/launcher=local", "hydra.launcher.n_jobs=2", "loss=plain,weighted")


def pids(text: str) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if f"hydra.run.dir='{text}".encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            pass
    return found


def test_jobs_run_beside_each_other_as_in_one_process_and_a_killed_one_goes_on(shell):
    settings = ("model=slow", "trainer.max_epochs=3", "data.batch_size=4")
    process = shell.start(*shell.train_command(*LOCAL, *settings, "name=local", "hydra.launcher.max_retries=1"))
    shell.wait_for("local/slow/plain/0", "epoch 1/3", process)
    (pid,) = pids("runs/local/slow/plain/0")
    os.kill(pid, signal.SIGKILL)
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    assert "2 jobs: 2 trained." in output and "resumes from its last checkpoint" in output
    assert shell.train("-m", "loss=plain,weighted", *settings, "name=alone").code == 0
    for loss in ("plain", "weighted"):
        local, alone = (shell.record(f"{name}/slow/{loss}/0") for name in ("local", "alone"))
        assert (local["test"], local["val"]) == (alone["test"], alone["val"])
        assert local["choices"] == alone["choices"] and local["environment"]["threads"] == 1
    again = shell.train(*LOCAL, *settings, "name=local")
    assert again.code == 0 and "2 jobs: 2 complete before, skipped." in again.output


def test_each_job_says_itself_how_it_failed_and_one_of_another_configuration_is_not_taken_for_complete(shell):
    settings = ("trainer.max_epochs=1", "name=other")
    assert shell.train("-m", "loss=plain", *settings).code == 0
    finished = shell.train(*LOCAL[:3], "model=exploding,tiny", *settings, "optimizer.lr=0.01")
    assert finished.code == 1, finished.output
    assert "2 jobs: 1 failed, 1 refused." in finished.output and "the network exploded" in finished.output
    (log,) = (shell.folder / "runs/other/exploding").rglob("train.log")
    assert "raise RuntimeError" in log.read_text()
    assert "holds a run of another configuration (optimizer.lr=" in finished.output
    assert shell.record("other/tiny/plain/0")["config"]["optimizer"]["lr"] == 1e-4


def test_a_mistake_in_one_job_is_told_before_any_begins(shell):
    finished = shell.train(*LOCAL[:3], "trainer.max_epochs=1,0")
    assert finished.code == 2, finished.output
    assert finished.output.count("\n") == 1 and "trainer.max_epochs=0" in finished.output
    assert not list((shell.folder / "runs").rglob("record.json"))


def test_an_interrupted_sweep_ends_its_jobs_with_their_checkpoints(shell):
    process = shell.start(*shell.train_command(*LOCAL, "trainer.max_epochs=3000", "name=cut"))
    for loss in ("plain", "weighted"):
        shell.wait_for(f"cut/tiny/{loss}/0", "epoch 1/3000", process)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 130, output
    assert "2 jobs: 2 interrupted." in output
    assert not pids("runs/cut")
    for loss in ("plain", "weighted"):
        assert (shell.folder / f"runs/cut/tiny/{loss}/0/checkpoints/last.ckpt").exists()


def test_more_jobs_than_cores_are_refused(shell):
    finished = shell.train(*LOCAL[:2], "hydra.launcher.n_jobs=1000", "loss=plain,weighted")
    assert finished.code == 2 and "hydra.launcher.n_jobs=1000: this machine has" in finished.output
    assert "Traceback" not in finished.output
