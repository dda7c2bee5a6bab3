"""A Slurm job of several tasks around one process."""

import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT

from agegender.system.errors import InputError
from agegender.system.slurm_tasks import check_tasks

BATCH = {"SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "train", "SLURM_PROCID": "0"}
STEP = {**BATCH, "SLURM_STEP_ID": "0"}


@pytest.mark.parametrize(
    "environment",
    [
        {},
        BATCH,
        {**BATCH, "SLURM_NTASKS": "1"},
        {**STEP, "SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "4"},
        {**BATCH, "SLURM_NTASKS": "4", "SLURM_JOB_NAME": "interactive"},
    ],
)
def test_one_task_or_a_process_for_each_is_right(environment: dict[str, str]) -> None:
    check_tasks(environment)


@pytest.mark.parametrize("more", [{}, {"SLURM_NTASKS_PER_NODE": "4"}])
def test_one_process_in_a_job_of_several_tasks_is_refused_with_what_to_change(more: dict[str, str]) -> None:
    with pytest.raises(InputError, match=r"has 4 tasks, and this command is one process: use #SBATCH --ntasks=1 "):
        check_tasks({**BATCH, "SLURM_NTASKS": "4", **more})


def test_processes_that_were_not_counted_by_node_are_refused_with_what_to_change() -> None:
    with pytest.raises(InputError, match=r"has 4 tasks by --ntasks: .*--ntasks-per-node=DEVICES in its place"):
        check_tasks({**STEP, "SLURM_NTASKS": "4"})


def test_a_training_in_such_a_job_ends_with_one_line_and_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in {**BATCH, "SLURM_NTASKS": "4"}.items():
        monkeypatch.setenv(key, value)
    command = [sys.executable, str(ROOT / "train.py"), "logger=none", "model=resnet18", "data.image_size=32"]
    finished = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    output = finished.stdout + finished.stderr
    assert finished.returncode == 2, output
    assert [line for line in output.splitlines() if "#SBATCH --ntasks=1" in line] == output.splitlines()
