"""Sweeps by a launcher of Hydra's whose jobs run in worker processes."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

JOBLIB = ("-m", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "data.source.num_synthetic=60")


def test_what_jobs_return_from_a_worker_process_makes_the_table_and_the_exit_code(shell):
    finished = shell.train(*JOBLIB, "trainer.max_epochs=1", "name=two", "model=exploding,tiny")
    assert finished.code == 1, finished.output
    assert "2 jobs: 1 trained, 1 failed." in finished.output
    assert "exploding/plain/0: failed: RuntimeError: the network exploded" in finished.output
    assert "The table: runs/two/report/table.md" in finished.output and "Traceback" not in finished.output
    again = shell.train(*JOBLIB, "trainer.max_epochs=1", "name=two", "model=tiny")
    assert again.code == 0 and "1 jobs: 1 complete before, skipped." in again.output, again.output


def test_mistakes_of_the_users_alone_are_exit_code_2(shell):
    finished = shell.train(*JOBLIB, "trainer.max_epochs=0,-1", "name=wrong")
    assert finished.code == 2, finished.output
    assert "2 jobs: 2 refused." in finished.output and "Traceback" not in finished.output


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc")
def test_a_worker_process_that_is_killed_ends_the_sweep_with_one_line_and_the_table(shell):
    process = shell.start(*shell.train_command(*JOBLIB, "seed=0,1", "trainer.max_epochs=100", "name=killed"))
    shell.wait_for("killed/tiny/plain/0", "epoch 1/100", process)
    os.kill(workers_of(process)[0], signal.SIGKILL)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 1, output
    assert output.count("error: hydra/launcher=joblib ended early: a process of its jobs was killed") == 1
    assert "interrupted" in output and "The table: runs/killed/report" in output
    assert "Traceback" not in output


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    threads = Path(f"/proc/{process.pid}/task").glob("*/children")
    children = [int(pid) for thread in threads for pid in thread.read_text().split()]
    return [pid for pid in children if b"popen_loky" in Path(f"/proc/{pid}/cmdline").read_bytes()]
