"""Several jobs at once on one machine: each a process with a device, or a part of the cores, of its own."""

import logging
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from agegender.jobs.stop_flag import stop_flag
from agegender.records import record
from agegender.records.job_folder import JobFolder
from agegender.sweeps.launch.plan import PlannedJob, resume_command
from agegender.sweeps.launch.restart import last_error, should_restart
from agegender.sweeps.launch.screen import Screen
from agegender.system.devices import JOBS_PER_GPU, has_mps
from agegender.system.errors import InputError, describe
from agegender.system.signals import signal_of, stop_signals

_POLL_SECONDS = 0.5
_STOP_SECONDS = 60  # for a job's last checkpoint

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Slot:
    """A place for one job at a time.

    Attributes:
        gpu: as in CUDA_VISIBLE_DEVICES; None on the CPU.
        cores: that its jobs may use.
        jobs_per_gpu: slots with the same GPU, this one included.
    """

    gpu: str | None
    cores: tuple[int, ...]
    jobs_per_gpu: int = 1

    def environment(self) -> dict[str, str]:
        """Return the environment variables that keep a job on its device and cores."""
        threads = os.environ.get("OMP_NUM_THREADS", "")
        own = {"OMP_NUM_THREADS": str(min(len(self.cores), int(threads) if threads.isdigit() else len(self.cores)))}
        # An empty list hides all GPUs: a job on the CPU must not touch a device either.
        own["CUDA_VISIBLE_DEVICES"] = self.gpu if self.gpu is not None else ""
        return own | {JOBS_PER_GPU: str(self.jobs_per_gpu)}


def make_slots(n_jobs: int | None, jobs_per_gpu: int, gpus: Sequence[str], cores: Sequence[int]) -> list[Slot]:
    """Divide a machine.

    Args:
        n_jobs: slots; None: as many as the GPUs hold, one without any.
        jobs_per_gpu: that share one.
        gpus: as CUDA_VISIBLE_DEVICES names them; none where the jobs use the CPU.
        cores: of the processor.

    Raises:
        InputError: more jobs than the machine has places for.
    """
    if min(jobs_per_gpu, n_jobs if n_jobs is not None else 1) < 1:
        raise InputError("hydra.launcher.n_jobs and hydra.launcher.jobs_per_gpu must be 1 or more")
    places = len(gpus) * jobs_per_gpu if gpus else len(cores)
    number = n_jobs if n_jobs is not None else (places if gpus else 1)
    if number > places:
        what = f"{len(gpus)} GPUs with jobs_per_gpu={jobs_per_gpu}" if gpus else f"{len(cores)} cores"
        raise InputError(f"hydra.launcher.n_jobs={number}: this machine has {what}; choose at most {places}")
    each = max(1, len(cores) // number)
    chosen = [gpus[index % len(gpus)] if gpus else None for index in range(number)]
    return [
        Slot(gpu, tuple(cores[index % len(cores) :: number][:each]), chosen.count(gpu) if gpu is not None else 1)
        for index, gpu in enumerate(chosen)
    ]


def advise_mps(slots: Sequence[Slot]) -> None:
    """Log that NVIDIA's Multi-Process Service would help, where jobs share a GPU without it."""
    most = max(slot.jobs_per_gpu for slot in slots)
    if most > 1 and not has_mps():
        log.info(
            "up to %d jobs share a GPU: without NVIDIA MPS their kernels take turns; `nvidia-cuda-mps-control -d` "
            "before the sweep lets them run at the same time",
            most,
        )


class LocalRun:
    """Runs the jobs of a sweep, as many at once as there are slots.

    Args:
        jobs: of the sweep; those that have ended are left alone.
        slots: see `make_slots`.
        max_retries: see `restart.should_restart`.
        stop_on_error: start no further job after one that failed.
    """

    def __init__(self, jobs: list[PlannedJob], slots: list[Slot], *, max_retries: int, stop_on_error: bool) -> None:
        self._jobs = jobs
        self._free = list(slots)
        self._running: dict[int, tuple[PlannedJob, subprocess.Popen[bytes], Slot]] = {}
        self._max_retries = max_retries
        self._stop_on_error = stop_on_error

    def run(self) -> None:
        """Run until every job has ended; on a signal the running ones write a checkpoint first."""
        stop_signals.install()
        with Screen(self._jobs) as screen:
            try:
                while self._start_next() or self._running:
                    screen.update()
                    time.sleep(_POLL_SECONDS)
                    self._reap()
            except KeyboardInterrupt as error:
                stop_flag.interrupt(signal_of(error))
                self._stop()
            except BaseException:  # nothing else would end the running jobs
                self._stop()
                raise
            screen.update()

    def _start_next(self) -> bool:
        """Fill the free slots, and return whether a job still waits."""
        queue = [job for job in self._jobs if job.state == "queued"]
        if self._stop_on_error and any(job.state in ("failed", "refused") for job in self._jobs):
            for job in queue:
                job.end("not started", "on_error=stop")
            return False
        for job in queue[: len(self._free)]:
            try:
                self._start(job, self._free[0])
            except OSError as error:  # of its directory; others may lie elsewhere
                job.end("failed", describe(error) or str(error))
            else:
                del self._free[0]
        return any(job.state == "queued" for job in queue)

    def _start(self, job: PlannedJob, slot: Slot) -> None:
        job.folder.mkdir(parents=True, exist_ok=True)
        with JobFolder(job.folder).output.open("ab") as output:
            process = subprocess.Popen(
                job.command,
                env={**os.environ, **slot.environment()},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C goes to the launcher alone, which then stops its jobs
            )
        job.state = "running"
        self._running[process.pid] = (job, process, slot)
        if hasattr(os, "sched_setaffinity"):
            with suppress(OSError):  # already ended, or pinning is denied: it only runs slower
                os.sched_setaffinity(process.pid, slot.cores)

    def _reap(self) -> None:
        for pid, (job, process, slot) in list(self._running.items()):
            code = process.poll()
            if code is None:
                continue
            del self._running[pid]
            self._free.append(slot)
            code = code if code >= 0 else 128 - code
            if should_restart(job.folder, code, self._max_retries):
                log.warning("%s was killed; it resumes from its last checkpoint", job.folder)
                job.state = "queued"
                job.command = resume_command(job.command)
            else:
                record_final_state(job, code)

    def _stop(self) -> None:
        for _, process, _ in self._running.values():
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        for job, process, _ in self._running.values():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
            except KeyboardInterrupt:  # a second Ctrl-C: stop without waiting for checkpoints
                deadline = 0.0
                process.kill()
            job.end("interrupted")
        for job in self._jobs:
            if not job.ended:
                job.end("not started", "interrupted")


def record_final_state(job: PlannedJob, code: int) -> None:
    """Set the final state of a job whose process has ended.

    Args:
        job: whose process has ended for good.
        code: its exit code, 128 more than a signal's number where it ended by one.
    """
    entry = job.read_record()
    output = JobFolder(job.folder).output
    if code == 0 and job.is_check:
        job.end("checked")
    elif code == 0 and entry is not None and entry.status in record.FINISHED:
        job.end(entry.status)
    elif code == 2:
        job.end("refused", last_error(output) or f"see {output}")
    elif code == 128 + signal.SIGTERM:
        job.end(
            "interrupted", "terminated by another process or user; the same command resumes from its last checkpoint"
        )
    elif entry is not None and entry.status == "failed":
        job.end("failed", entry.error)
    else:
        message = last_error(output) if code == 1 else None
        job.end("failed", message or f"exit code {code}; see {output}")
