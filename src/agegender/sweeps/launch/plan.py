"""The jobs of a sweep as commands: each a process of its own, in the directory that follows from its choices."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra._internal.utils import get_args_parser
from omegaconf import DictConfig, open_dict

from agegender.jobs.resuming import is_finished
from agegender.jobs.run import resolve
from agegender.records import record
from agegender.records.job_folder import JobFolder
from agegender.system.errors import InputError

# What the sweep decides is not passed on to its jobs.
_SWEEP_KEYS = ("hydra/launcher", "hydra/sweeper", "hydra.launcher", "hydra.sweeper", "hydra.sweep", "hydra.mode")


@dataclass
class PlannedJob:
    """One job of a sweep.

    Attributes:
        overrides: of the job, as the sweeper made them.
        config: composed, with `hydra`.
        folder: of its record, checkpoints and log.
        command: what runs it, from the directory in which the sweep was started.
        num_epochs: that it is to train.
        is_check: a job of `trainer.fast_dev_run`, which leaves no record.
        replaced: start time of the run that this one replaces (`resume=false`); None where there is none.
        state: `queued`, `running`, or how it ended, as in `Outcome`.
        reason: why it failed, or what it waits for.
    """

    overrides: list[str]
    config: DictConfig
    folder: Path
    command: list[str]
    num_epochs: int
    is_check: bool = False
    replaced: str | None = None
    state: str = "queued"
    reason: str | None = None

    @property
    def ended(self) -> bool:
        return self.state not in ("queued", "running")

    def end(self, state: str, reason: str | None = None) -> None:
        self.state = state
        self.reason = reason

    def read_record(self) -> record.Record | None:
        """Return the job's record; None before the job starts, even where an older or a broken record lies there."""
        try:
            known = record.read(self.folder)
        except InputError:
            return None
        is_replaced = known is not None and self.replaced is not None and known.started == self.replaced
        return None if is_replaced else known


def plan(config: DictConfig, context: Any, overrides: Sequence[Sequence[str]], first: int) -> list[PlannedJob]:
    """Compose every job, so that a mistake in one is reported before any of them starts.

    Args:
        config: of the sweep.
        context: Hydra's, which composes.
        overrides: of each job.
        first: number of the first job in the sweep.

    Raises:
        InputError: a configuration does not resolve, or a value is out of range.
    """
    return [_plan_job(config, context, list(own), number) for number, own in enumerate(overrides, first)]


def _plan_job(config: DictConfig, context: Any, overrides: list[str], number: int) -> PlannedJob:
    own = compose_job(config, context, overrides, number)
    folder = job_folder(own)
    resolved = resolve(own)
    job = PlannedJob(overrides, own, folder, _command(config, overrides, folder), resolved.trainer.max_epochs)
    job.is_check = bool(resolved.trainer.fast_dev_run)
    if job.is_check:
        return job
    if not resolved.resume:
        known = job.read_record()
        job.replaced = known.started if known is not None else None
        return job
    try:
        known = record.read(folder)
        if known is not None and is_finished(JobFolder(folder), known, resolved):
            job.end("skipped")
    except InputError as error:  # the job would refuse it too, only later
        job.end("refused", str(error))
    return job


def compose_job(config: DictConfig, context: Any, overrides: list[str], number: int) -> DictConfig:
    """Compose one job of a sweep.

    Args:
        config: of the sweep.
        context: Hydra's, which composes.
        overrides: of the job.
        number: of the job in the sweep.
    """
    own = context.config_loader.load_sweep_config(config, overrides)
    with open_dict(own):
        own.hydra.job.id = str(number)
        own.hydra.job.num = number
    return own


def job_folder(config: DictConfig) -> Path:
    """Return the directory of a sweep's job.

    Args:
        config: of the job, composed with `hydra`.
    """
    return Path(config.hydra.sweep.dir) / config.hydra.sweep.subdir


def _command(config: DictConfig, overrides: list[str], folder: Path) -> list[str]:
    known = get_args_parser().parse_args(sys.argv[1:])
    given = {key: getattr(known, key) for key in ("config_path", "config_dir", "config_name")}
    flags = [f"--{key.replace('_', '-')}={value}" for key, value in given.items() if value]
    kept = [item for item in config.hydra.overrides.hydra if not item.lstrip("+~").startswith(_SWEEP_KEYS)]
    quoted = str(folder).replace("\\", "\\\\").replace("'", "\\'")
    program = [sys.executable, "-u", str(Path(sys.argv[0]).resolve())]
    return [*program, *flags, *overrides, *kept, "hydra.mode=RUN", f"hydra.run.dir='{quoted}'"]


def resume_command(command: list[str]) -> list[str]:
    """Return the command that resumes a job, also where its first attempt was to start afresh (`resume=false`)."""
    resumes = command[-1] == "resume=true" or "resume=extend" in command
    return command if resumes else [*command, "resume=true"]
