"""A search whose trials are jobs of a real Slurm."""

import json
import os
import signal
from pathlib import Path

import pytest

pytestmark = pytest.mark.slurm


def test_a_search_gives_its_trials_to_slurm_and_one_that_is_killed_comes_back(cluster):
    options = ("hydra.sweeper.n_trials=4", "hydra.sweeper.n_jobs=2", "trainer.max_epochs=3", "augment=none")
    process = cluster.start("hparams_search=optuna", *options)
    cluster.wait(lambda: any(_epochs(job) >= 1 for job in _trials(cluster)), "epoch 2 of a trial")
    killed = next(job for job in _trials(cluster) if _epochs(job) >= 1)
    os.kill(cluster.pid_in(str(killed.relative_to(cluster.folder))), signal.SIGKILL)
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    assert "4 jobs: 4 trained." in output and "4 trials: 4 with a score; trial " in output
    resumed = {job for job in _trials(cluster) if json.loads((job / "record.json").read_text())["time"]["resumed"]}
    assert resumed == {killed}
    assert (cluster.folder / "runs" / "search" / "best.yaml").exists()


def _trials(cluster) -> list[Path]:
    return [path.parent for path in cluster.folder.glob("runs/search/slow/plain/0/*/record.json")]


def _epochs(job: Path) -> int:
    """Count the finished epochs that a checkpoint holds."""
    saved = (job / "checkpoints" / "last.ckpt").exists()  # it follows the record
    return len(json.loads((job / "record.json").read_text())["history"]) if saved else 0
