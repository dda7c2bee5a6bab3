"""The role of this process: in a distributed job, or in a job that Slurm restarted."""

import os


def is_restarted() -> bool:
    """Whether Slurm has requeued this job and started it again."""
    return os.environ.get("SLURM_RESTART_COUNT", "0") != "0"


def is_main_process() -> bool:
    """Whether this process writes records: the first of a distributed job, or the only one."""
    rank = next((os.environ[key] for key in ("RANK", "LOCAL_RANK", "SLURM_PROCID") if key in os.environ), "0")
    return rank == "0"
