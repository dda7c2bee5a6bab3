"""A sweep as an array of Slurm jobs. submitit writes the batch script and submits it; what runs is the job's command.

Slurm is asked what is queued and running (`squeue`, which needs no accounting), the records how jobs ended; where they
do not say, Slurm again.
"""

import json
import logging
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agegender.records import record
from agegender.sweeps.launch.plan import PlannedJob, resume_command
from agegender.sweeps.launch.restart import OUT_OF_MEMORY, fail, last_error
from agegender.sweeps.launch.screen import Screen
from agegender.sweeps.launch.slurm_advice import advice
from agegender.system.errors import InputError
from agegender.system.files import write_atomically
from agegender.system.processes import is_restarted
from agegender.system.signals import stop_signals

_MISSES = 2  # looks at the queue that a job must be missing in, before it counts as gone
_JOBS_FILE = "jobs.json"  # Slurm's number of each directory's job
_GENERIC = ("timeout_min", "cpus_per_task", "gpus_per_node", "tasks_per_node", "mem_gb", "nodes", "name")
_SETUP = (
    "export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK",  # srun does not take it over from sbatch since Slurm 22.05
    "export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$SLURM_CPUS_PER_TASK}",  # also where cores are not bound
)

log = logging.getLogger(__name__)


def execute(command: list[str]) -> None:
    """Become a job's process: with the signals' own meanings, not submitit's."""
    command = resume_command(command) if is_restarted() else command
    os.execv(command[0], command)


class SlurmRun:
    """Submits the jobs of a sweep and follows them.

    Args:
        jobs: of the sweep; those that have ended are left alone.
        folder: for batch scripts and output.
        options: of the launcher, as in `conf/hydra/launcher/slurm.yaml`.
    """

    def __init__(self, jobs: list[PlannedJob], folder: Path, options: Mapping[str, Any]) -> None:
        self._jobs = jobs
        self._folder = folder.absolute()
        self._options = options
        self._ids: dict[str, str] = {}  # Slurm's number by the job's directory
        self._misses: dict[str, int] = {}

    def submit(self) -> None:
        """Submit what has not ended and is not in the queue already.

        Raises:
            InputError: submitit is not installed, or Slurm refuses.
        """
        self._ids = self._read_ids()
        queue = squeue()
        waiting = [job for job in self._jobs if not job.ended]
        new = [job for job in waiting if self._ids.get(str(job.folder)) not in queue]
        for job in waiting:
            if job not in new:
                if queue[self._ids[str(job.folder)]][0] == "running":
                    job.replaced = None  # by the attempt whose record is there now
                log.info("%s: in the queue already, as job %s", job.folder, self._ids[str(job.folder)])
        if not new:
            return
        for job, number in zip(new, self._submit(new), strict=True):
            self._ids[str(job.folder)] = number
        write_atomically(self._folder / _JOBS_FILE, json.dumps(self._ids, indent=2) + "\n")
        log.info(
            "%d jobs submitted as %s; their output: %s",
            len(new),
            self._ids[str(new[0].folder)].partition("_")[0],
            self._folder,
        )

    def _read_ids(self) -> dict[str, str]:
        try:
            return json.loads((self._folder / _JOBS_FILE).read_text())
        except (OSError, ValueError):
            return {}

    def _submit(self, jobs: list[PlannedJob]) -> list[str]:
        try:
            import submitit
            from submitit.core.utils import FailedJobError
        except ImportError as error:
            raise InputError("hydra/launcher=slurm needs the extra: pip install 'agegender[slurm]'") from error
        self._folder.mkdir(parents=True, exist_ok=True)
        plan = self._folder / f"plan-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.json"
        write_atomically(plan, json.dumps([str(job.folder.absolute()) for job in jobs]) + "\n")
        try:
            executor = submitit.AutoExecutor(folder=self._folder, cluster="slurm")
            executor.update_parameters(**self._parameters(jobs, plan))
            submitted = executor.map_array(execute, [job.command for job in jobs])
        except (RuntimeError, subprocess.CalledProcessError, FailedJobError) as error:
            answer = " ".join(str(error).split())[-400:]
            raise InputError(f"hydra/launcher=slurm: {answer}{advice(answer)}") from error
        except (AssertionError, NameError, ValueError) as error:
            raise InputError(f"hydra.launcher: {' '.join(str(error).split())[:400]}") from error
        return [job.job_id for job in submitted]

    def _parameters(self, jobs: list[PlannedJob], plan: Path) -> dict[str, Any]:
        """Return submitit's parameters; the last lines of the batch script restart a job that was killed."""
        options = {key: value for key, value in self._options.items() if value is not None}
        own = {key: options.pop(key) for key in ("detach", "max_retries", "poll_seconds")}
        extra = dict(options.pop("additional_parameters", {}))
        delay = options.pop("signal_delay_s")
        extra = {"signal": f"USR1@{delay}", "requeue": True, "open-mode": "append", **extra}
        restart = shlex.join(
            [sys.executable, "-m", "agegender.sweeps.launch.restart", "--max-retries", str(own["max_retries"])]
        )
        end = ["code=$?", f"{restart} {shlex.quote(str(plan))} ${{SLURM_ARRAY_TASK_ID:-0}} $code", "exit $code"]
        shapes = [_shape(job) for job in jobs]
        if any(shape != shapes[0] for shape in shapes):
            raise InputError(
                "hydra/launcher=slurm: the jobs of a sweep need equal trainer.devices and trainer.num_nodes"
            )
        options |= shapes[0]
        if (
            options["nodes"] * options["tasks_per_node"] > 1
        ):  # else the others wait for one that failed until NCCL gives up
            options["srun_args"] = [*options.get("srun_args", []), "--kill-on-bad-exit=1"]
        named = {key if key in _GENERIC else f"slurm_{key}": value for key, value in options.items()}
        return named | {
            "slurm_additional_parameters": extra,
            "slurm_teardown": end,
            "slurm_setup": [*options.get("setup", []), *_SETUP, f"cd {shlex.quote(os.getcwd())}"],
            "stderr_to_stdout": True,
        }

    def follow(self) -> None:
        """Show the sweep until every job has ended; Ctrl-C and SIGTERM leave the jobs alone."""
        stop_signals.install()
        with Screen(self._jobs) as screen:
            try:
                while not all(job.ended for job in self._jobs):
                    self._look()
                    screen.update()
                    time.sleep(self._options["poll_seconds"] if not all(job.ended for job in self._jobs) else 0)
            except KeyboardInterrupt:
                self.leave()
            screen.update()

    def leave(self) -> None:
        """Stop following the jobs, which continue without this process."""
        numbers = {self._ids[str(job.folder)] for job in self._jobs if not job.ended}
        if numbers:
            arrays = " ".join(sorted({number.partition("_")[0] for number in numbers}))
            log.info("the jobs continue; the same command shows them again, scancel %s ends them", arrays)
        for job in self._jobs:
            if not job.ended:
                job.end("submitted")

    def _look(self) -> None:
        try:
            queue = squeue()
        except InputError as error:  # a busy controller answers again before long
            log.warning("%s; asking again", error)
            return
        for job in self._jobs:
            if job.ended:
                continue
            number = self._ids[str(job.folder)]
            if number in queue:
                self._misses[number] = 0
                job.state, job.reason = queue[number]
                continue
            self._misses[number] = self._misses.get(number, 0) + 1
            if self._misses[number] >= _MISSES:
                self._record_final_state(job, number)

    def _record_final_state(self, job: PlannedJob, number: str) -> None:
        """Set the final state of a job that is gone from the queue."""
        entry = job.read_record()
        output = self._output(number)
        if entry is not None and entry.status in record.FINISHED:
            job.end(entry.status)
        elif (state := end_state(number)).startswith("CANCELLED"):  # also while it waited, after an attempt that failed
            job.end("interrupted", "cancelled; the same command resumes from its last checkpoint")
        elif entry is not None and entry.status == "failed":
            job.end("failed", entry.error)
        elif (refusal := last_error(output)) is not None:
            job.end("refused", refusal)
        elif job.is_check and state in ("COMPLETED", ""):
            job.end("checked")
        else:
            memory = f"; {OUT_OF_MEMORY}" if state == "OUT_OF_MEMORY" else ""
            reason = f"gone from the queue{f' as {state}' if state else ''}{memory}; see {output}"
            fail(job.folder, reason)
            job.end("failed", reason)

    def _output(self, number: str) -> Path:
        return self._folder / f"{number}_0_log.out"


def _shape(job: PlannedJob) -> dict[str, Any]:
    """Return the tasks that a job of several devices needs, one per device."""
    trainer = job.config.trainer
    if not str(trainer.strategy).startswith("ddp"):
        return {"nodes": 1, "tasks_per_node": 1}
    if not isinstance(trainer.devices, int):
        raise InputError(f"trainer.devices={trainer.devices}: on Slurm give their number on each node")
    return {"nodes": trainer.num_nodes, "tasks_per_node": trainer.devices}


def squeue() -> dict[str, tuple[str, str | None]]:
    """Return this user's jobs by their number: `queued` or `running`, and what a queued one waits for.

    Raises:
        InputError: there is no Slurm, or it does not answer.
    """
    command = ["squeue", "--noheader", "--array", "--user", str(os.getuid()), "--format", "%i|%T|%r"]
    try:
        output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    except FileNotFoundError as error:
        raise InputError(
            "hydra/launcher=slurm: no squeue here; start the sweep on a login node of the cluster"
        ) from error
    except subprocess.SubprocessError as error:
        message = (getattr(error, "stderr", None) or str(error)).strip()
        last_line = message.splitlines()[-1] if message else "squeue failed"
        raise InputError(f"Slurm does not answer ({last_line})") from error
    found = {}
    for line in output.splitlines():
        number, state, reason = line.split("|", 2)
        running = state in ("RUNNING", "COMPLETING")
        waits = f"{reason}{advice(reason)}" if reason not in ("None", "") else None
        found[number] = ("running", None) if running else ("queued", waits)
    return found


def end_state(number: str) -> str:
    """Return how a job ended, such as CANCELLED or OUT_OF_MEMORY; empty where Slurm does not know.

    The controller keeps jobs for some minutes (MinJobAge), the accounting, where there is one, for good.
    """
    kept = ["squeue", "--noheader", "--array", "--states=all", "--jobs", number, "--format", "%T"]
    accounted = ["sacct", "--noheader", "--allocations", "--parsable2", "--jobs", number, "--format", "State"]
    for command in (kept, accounted):
        try:
            output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
        except (OSError, subprocess.SubprocessError):
            continue
        if output.strip():
            return output.split("\n")[0].strip()
    return ""
