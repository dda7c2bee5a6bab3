"""Whether Slurm's tasks fit the command: `python train.py` is one process, however many tasks its job was given."""

import os
from collections.abc import Mapping

from agegender.system.errors import InputError

_INTERACTIVE = ("bash", "interactive")  # names of jobs in which Lightning counts no tasks


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
    alone = f"use #SBATCH --ntasks=1 (cores are --cpus-per-task={num_tasks})"
    if "SLURM_STEP_ID" not in environment:  # srun sets it
        raise InputError(
            f"this Slurm job has {num_tasks} tasks, and this command is one process: {alone}, or start one for each "
            f"device: #SBATCH --ntasks-per-node=DEVICES and srun python train.py trainer=ddp trainer.devices=DEVICES"
        )
    if "SLURM_NTASKS_PER_NODE" not in environment:
        raise InputError(
            f"this Slurm job has {num_tasks} tasks by --ntasks: {alone}, or, for a process for each device, "
            "#SBATCH --ntasks-per-node=DEVICES in its place, with trainer=ddp trainer.devices=DEVICES"
        )
