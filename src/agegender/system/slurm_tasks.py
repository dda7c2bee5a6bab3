"""A check that Slurm's tasks match the command: `python train.py` is one process, however many tasks its job has."""

import os
from collections.abc import Mapping

from agegender.system.errors import InputError

_INTERACTIVE = ("bash", "interactive")  # job names for which Lightning ignores Slurm's tasks


def check_tasks(environment: Mapping[str, str] = os.environ) -> None:
    """Refuse a job of several tasks in which Lightning would wait for processes that nobody starts.

    Args:
        environment: of this process.

    Raises:
        InputError: the job has several tasks, and this process was not started once for each of them.
    """
    num_tasks = environment.get("SLURM_NTASKS", "1")
    if num_tasks == "1" or environment.get("SLURM_JOB_NAME") in _INTERACTIVE:
        return
    single_task = f"use #SBATCH --ntasks=1 (cores are --cpus-per-task={num_tasks})"
    if "SLURM_STEP_ID" not in environment:  # srun sets it
        raise InputError(
            f"this Slurm job has {num_tasks} tasks, and this command is one process: {single_task}, or start one "
            "process for each device: #SBATCH --ntasks-per-node=DEVICES and srun python train.py trainer=ddp "
            "trainer.devices=DEVICES"
        )
    if "SLURM_NTASKS_PER_NODE" not in environment:
        raise InputError(
            f"this Slurm job has {num_tasks} tasks by --ntasks: {single_task}, or, for a process for each device, "
            "#SBATCH --ntasks-per-node=DEVICES in its place, with trainer=ddp trainer.devices=DEVICES"
        )
