"""A batch of jobs by any launcher of Hydra's, and how each job ended: also where the launcher itself fails."""

import logging
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig

from agegender.jobs.outcomes import Outcome
from agegender.jobs.resuming import is_finished
from agegender.jobs.run import resolve, shortest
from agegender.jobs.stop_flag import stop_flag
from agegender.records.job_folder import JobFolder
from agegender.sweeps.launch.plan import compose_job, job_folder
from agegender.sweeps.result import result_of
from agegender.system.errors import InputError, first_line
from agegender.system.signals import signal_of, stop_signals

_KILLED = "a process of its jobs was killed (out of memory?), and the others with it"

log = logging.getLogger(__name__)


def launch(
    launcher: Launcher, config: DictConfig, context: Any, overrides: Sequence[Sequence[str]], first: int
) -> list[JobReturn]:
    """Run a batch of a sweep's jobs, unless the sweep is to start no further job.

    Args:
        launcher: runs the jobs.
        config: of the sweep.
        context: Hydra's; its callback learns how the jobs ended.
        overrides: of each job.
        first: number of the first job in the sweep.

    Returns:
        One for each job, with its `Outcome` as the return value. A job's failure is such an outcome as well: an
        exception would keep the sweeper from the jobs that are left, and the sweep from its table.
    """
    result = result_of(context)
    batch = Batch(config, context, overrides, first)
    stop_flag.interrupt(stop_signals.received)  # after the last job of the batch before
    stop_signals.install()
    reason = stop_flag.reason
    if config.on_error == "stop" and any(outcome.status in ("failed", "refused") for outcome in result.outcomes):
        reason = reason or "on_error=stop"
    if reason is not None:
        returned = batch.not_started(reason)
    else:
        returned = batch.run(launcher)
    result.outcomes += [one.return_value for one in returned]
    return returned


class Batch:
    """Jobs that are launched together.

    Args:
        config: of the sweep.
        context: Hydra's, which composes.
        overrides: of each job.
        first: number of the first job in the sweep.
    """

    def __init__(self, config: DictConfig, context: Any, overrides: Sequence[Sequence[str]], first: int) -> None:
        self._config = config
        self._context = context
        self._overrides = [list(own) for own in overrides]
        self._first = first

    def run(self, launcher: Launcher) -> list[JobReturn]:
        """Launch the jobs, and learn from their records how they ended where the launcher does not return."""
        begun = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            returned = launcher.launch(self._overrides, self._first)
        except KeyboardInterrupt as stop:
            stop_flag.interrupt(signal_of(stop))
            return self._from_records(begun, "interrupted")
        except HydraException:  # a job does not compose: Hydra says so itself
            raise
        except Exception as error:
            name = self._config.hydra.runtime.choices["hydra/launcher"]
            is_killed = isinstance(error, BrokenExecutor)
            log.error(
                "error: hydra/launcher=%s ended early: %s; the same command skips complete jobs and resumes the others",
                name,
                _KILLED if is_killed else first_line(error, kind=True),
                exc_info=None if is_killed else error,
            )
            return self._from_records(begun, f"hydra/launcher={name} ended early")
        for one in returned:
            if one.status != JobStatus.COMPLETED:
                one.return_value = _failure(one)
                one.status = JobStatus.COMPLETED
        return list(returned)

    def not_started(self, reason: str) -> list[JobReturn]:
        """Return the jobs as not started."""
        return [
            _job_return(own, config, Outcome(job_folder(config), "not started", reason))
            for own, config in self._composed()
        ]

    def _from_records(self, begun: str, reason: str) -> list[JobReturn]:
        return [_job_return(own, config, _recorded(config, begun, reason)) for own, config in self._composed()]

    def _composed(self) -> list[tuple[list[str], DictConfig]]:
        return [
            (own, compose_job(self._config, self._context, own, number))
            for number, own in enumerate(self._overrides, self._first)
        ]


def _job_return(overrides: list[str], config: DictConfig, outcome: Outcome) -> JobReturn:
    return JobReturn(overrides=overrides, cfg=config, status=JobStatus.COMPLETED, _return_value=outcome)


def _failure(returned: JobReturn) -> Outcome:
    """Return the outcome of a job that raised, which `run_job` does not: a defect, or a package that is missing."""
    assert returned.hydra_cfg is not None
    folder = shortest(Path(returned.hydra_cfg.hydra.runtime.output_dir))
    error = returned._return_value
    reason = first_line(error, limit=300, kind=True)
    log.error("%s failed: %s", folder, reason, exc_info=error)
    return Outcome(folder, "failed", reason)


def _recorded(config: DictConfig, begun: str, reason: str) -> Outcome:
    """Return how a job ended that nothing was returned of.

    Args:
        config: of the job.
        begun: when its batch was launched, as records have it.
        reason: why nothing was returned.
    """
    folder = job_folder(config)
    try:
        resolved = resolve(config)
        entry = JobFolder(folder).read()
        is_done = bool(entry is not None and resolved.resume and is_finished(JobFolder(folder), entry, resolved))
    except InputError as error:  # as the job would say itself
        return Outcome(folder, "refused", str(error))
    if entry is not None and is_done and (entry.finished or "") >= begun:
        return Outcome(folder, entry.status)
    if is_done:
        return Outcome(folder, "skipped")
    if entry is None or (entry.started or "") < begun:
        return Outcome(folder, "not started", reason)
    if entry.status == "failed":
        return Outcome(folder, "failed", entry.error)
    return Outcome(folder, "interrupted")
