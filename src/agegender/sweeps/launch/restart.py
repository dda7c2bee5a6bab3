"""What becomes of a job whose process has ended: done, failed, or begun again where it was killed.

A job that was killed goes on from its last checkpoint, as often as it gets further. At the end of a cluster's batch
job, where nobody else may be left to do it, `python -m agegender.sweeps.launch.restart` decides that.
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
from agegender.system.errors import InputError, describe
from agegender.system.files import write_atomically

_DECIDED = (0, 2, 128 + signal.SIGTERM)  # complete, refused; who terminates a job decides what becomes of it
OUT_OF_MEMORY = "out of memory? (mem_gb asks for more, data.batch_size needs less)"
_ATTEMPTS = ".attempts.json"
_LOST_PEER = ("by peer", "remote worker", "remote process", "ncclRemoteError", "NCCL")  # of gloo and of NCCL


def should_restart(folder: Path, code: int, max_retries: int) -> bool:
    """Say whether a job is to be started again; where it is not, and could not tell itself, its record is mended.

    Args:
        folder: the job's directory.
        code: exit code of its process; 128 more than a signal's number where it ended by one.
        max_retries: in a row, without a new checkpoint in between.
    """
    attempts = folder / _ATTEMPTS
    if code in _DECIDED or _has_recorded_its_end(folder, code):
        attempts.unlink(missing_ok=True)
        return False
    last = folder / "checkpoints" / "last.ckpt"
    checkpoint = last.stat().st_mtime_ns if last.exists() else 0
    before = _read(attempts)
    num_tried = before["num_tried"] + 1 if before.get("checkpoint") == checkpoint else 1
    try:
        if num_tried <= max_retries:
            write_atomically(attempts, json.dumps({"num_tried": num_tried, "checkpoint": checkpoint}))
            return True
    except OSError as error:  # without the count of its attempts it could be started for ever
        fail(folder, f"ended by {_name(code)}, and is not started again: {describe(error) or error}")
        return False
    attempts.unlink(missing_ok=True)
    fail(folder, f"ended by {_name(code)} {num_tried} times without getting further{_advice(code)}")
    return False


def _has_recorded_its_end(folder: Path, code: int) -> bool:
    """Say whether a job's record tells how it ended, so that it is not tried again.

    A job that fails with exit code 1 has told it. But srun ends with 1 as well, instead of the signal, where the kernel
    killed the job because the memory of its cgroup was used up; and of several processes the others are killed when one
    has failed, whose record says so. A process that failed because another one was killed has told nothing of its own.
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
    except InputError:  # broken: the job and the report say so
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
    """Record that a job failed which could not do it itself; what it was beyond that stays as it is."""
    entry = _read_record(folder)
    if entry is not None and entry.status == "running":
        entry.status, entry.error = "failed", reason
        with suppress(OSError):  # a full disk: the job's own output tells, and others go on
            record.write(folder, entry)


def last_error(path: Path) -> str | None:
    """Give the mistake of the user's that a job's output ends with; None if it does not tell any."""
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
