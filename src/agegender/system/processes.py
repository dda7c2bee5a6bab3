"""This process among others: of a distributed job, or of a job that Slurm started again."""

import os


def is_restarted() -> bool:
    """Whether Slurm has put this job back into the queue and started it again."""
    return os.environ.get("SLURM_RESTART_COUNT", "0") != "0"


def is_main_process() -> bool:
    """Whether this process writes records: the first of a distributed job, or the only one."""
    rank = next((os.environ[key] for key in ("RANK", "LOCAL_RANK", "SLURM_PROCID") if key in os.environ), "0")
    return rank == "0"
