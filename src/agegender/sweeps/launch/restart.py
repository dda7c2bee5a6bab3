"""Whether a job whose process has ended is done, has failed, or is restarted because it was killed.

A job that was killed resumes from its last checkpoint, as often as it reaches a new one. At the end of a cluster's
batch job `python -m agegender.sweeps.launch.restart` decides it, since the process that started the sweep may be gone.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from agegender.records import record
from agegender.records.job_folder import JobFolder
from agegender.system.errors import InputError, describe
from agegender.system.files import write_atomically

_DECIDED = (0, 2, 128 + signal.SIGTERM)  # complete, refused; who terminates a job decides what becomes of it
OUT_OF_MEMORY = "out of memory? (mem_gb asks for more, data.batch_size needs less)"
_LOST_PEER = ("by peer", "remote worker", "remote process", "ncclRemoteError", "NCCL")  # of gloo and of NCCL


def should_restart(folder: Path, code: int, max_retries: int) -> bool:
    """Return whether a job is to be restarted; a job that is given up and could not record it is recorded as failed.

    Args:
        folder: the job's directory.
        code: exit code of its process; 128 more than a signal's number where it ended by one.
        max_retries: in a row, without a new checkpoint in between.
    """
    attempts = JobFolder(folder).attempts
    if code in _DECIDED or _has_recorded_its_end(folder, code):
        attempts.unlink(missing_ok=True)
        return False
    last = JobFolder(folder).last
    checkpoint = last.stat().st_mtime_ns if last.exists() else 0
    before = _read(attempts)
    num_tried = before["num_tried"] + 1 if before.get("checkpoint") == checkpoint else 1
    try:
        if num_tried <= max_retries:
            write_atomically(attempts, json.dumps({"num_tried": num_tried, "checkpoint": checkpoint}))
            return True
    except OSError as error:  # without the count of attempts it might restart for ever
        fail(folder, f"ended by {_name(code)}, and is not started again: {describe(error) or error}")
        return False
    attempts.unlink(missing_ok=True)
    fail(folder, f"ended by {_name(code)} {num_tried} times without getting further{_advice(code)}")
    return False


def _has_recorded_its_end(folder: Path, code: int) -> bool:
    """Return whether a job's record holds its end, so that it is not restarted.

    A job that fails with exit code 1 has recorded it. But srun returns 1 as well, instead of the signal, where the
    kernel killed the job because its cgroup had no memory left. When one of several processes fails, it records that,
    and the others are killed. A process that failed because another one was killed has not recorded its own end.
    """
    entry = _read_record(folder)
    if entry is None:
        return code == 1
    if entry.status == "failed" and code != 1:
        return not any(text in str(entry.error) for text in _LOST_PEER)
    return code == 1 and entry.status != "running"


def _read_record(folder: Path) -> record.Record | None:
    try:
        return record.read(folder)
    except InputError:  # broken: the job and the report show it
        return None


def _read(path: Path) -> dict[str, int]:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}


def _name(code: int) -> str:
    try:
        return signal.Signals(code - 128).name
    except ValueError:
        return f"exit code {code}"


def _advice(code: int) -> str:
    if code == 1:
        return f"; its output says why, or it was {OUT_OF_MEMORY}"
    if code == 128 + signal.SIGKILL:
        return f"; {OUT_OF_MEMORY}"
    if code == 128 + signal.SIGUSR1:
        return "; the time limit is too short for a checkpoint (timeout_min is longer, checkpoint_minutes shorter)"
    return ""


def fail(folder: Path, reason: str) -> None:
    """Record as failed a job that could not do it itself; a record that is not of a running job stays as it is."""
    entry = _read_record(folder)
    if entry is not None and entry.status == "running":
        entry.status = "failed"
        entry.error = reason
        with suppress(OSError):  # a full disk: the job's own output shows it, and other jobs continue
            record.write(folder, entry)


def last_error(path: Path) -> str | None:
    """Return the last `error:` line of a job's output; None if there is none."""
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    messages = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return messages[-1] if messages else None


def _requeue() -> None:
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    job = f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}" if array else os.environ["SLURM_JOB_ID"]
    print(f"{job} is put back into the queue and resumes from its last checkpoint", flush=True)
    subprocess.run(["scontrol", "requeue", job], check=True, timeout=120)


def main(arguments: list[str] | None = None) -> int:
    """End a batch job: put it back into the queue, or leave its exit code as it is."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("plan", type=Path, help="JSON: the directories of the array's jobs")
    parser.add_argument("index", type=int, help="of the job in the array")
    parser.add_argument("code", type=int, help="exit code of its process")
    parser.add_argument("--max-retries", type=int, required=True)
    options = parser.parse_args(arguments)
    folder = Path(json.loads(options.plan.read_text())[options.index])
    if should_restart(folder, options.code, options.max_retries):
        _requeue()
    return options.code


if __name__ == "__main__":
    sys.exit(main())
