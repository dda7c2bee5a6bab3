"""One job: skipped if complete, resumed if it was interrupted, trained, tested, recorded.

Nothing here imports torch before it is known that there is something to train.
"""

import gc
import logging
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from agegender.jobs.config import known_keys, parse
from agegender.jobs.outcomes import Outcome, exit_code
from agegender.jobs.overrides import key_and_text
from agegender.jobs.preflight import refuse_ddp_sweep
from agegender.jobs.resuming import is_finished, is_to_extend, refuse_without_optimizer
from agegender.jobs.schema import Config
from agegender.jobs.stop_flag import stop_flag
from agegender.jobs.unknown import refuse_unknown
from agegender.records import identity, record
from agegender.records.job_folder import JobFolder
from agegender.records.record import Record
from agegender.system.devices import broken_gpu
from agegender.system.errors import InputError, MachineError, describe, explain, first_line
from agegender.system.files import remove_temporary, write_atomically
from agegender.system.locks import LEASE_SECONDS, HeldElsewhere, locked
from agegender.system.processes import is_main_process, is_restarted
from agegender.system.provenance import git_state
from agegender.system.signals import STOPS, signal_of, stop_signals
from agegender.system.slurm_tasks import check_tasks
from agegender.tracking.wandb_run import is_stopped_by_agent

log = logging.getLogger(__name__)
traceback_log = logging.getLogger("agegender.traceback")  # the job's own log only


def run_job(config: DictConfig) -> Outcome:
    """Run one job as Hydra composed it; never raises for a job's failure in a sweep.

    Returns:
        How it ended. Outside a sweep, anything but success ends the process: exit code 1 for a failed job, 2 for a
        mistake of the user's, 128 and the signal's number when interrupted.
    """
    stop_flag.interrupt(stop_signals.received)  # between the jobs of a sweep
    stop_signals.install()
    hydra_config = HydraConfig.get()
    multirun = hydra_config.mode == RunMode.MULTIRUN
    folder = shortest(Path(hydra_config.runtime.output_dir))
    if stop_flag.reason is not None:
        outcome = Outcome(folder, "not started", stop_flag.reason)
    else:
        outcome = _attempt(config, folder, multirun=multirun)
        gc.collect()  # networks, optimizers and maps hang in cycles: a sweep would pile them up
    if outcome.status in ("failed", "refused") and config.on_error == "stop":
        stop_flag.reason = "on_error=stop"
    code = exit_code([outcome], stop_flag.signal)
    if not multirun and code:
        raise SystemExit(code)
    return outcome


def shortest(folder: Path) -> Path:
    """Name a directory as a person here would: relative to the working directory where it lies below it."""
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder


def _attempt(config: DictConfig, folder: Path, *, multirun: bool) -> Outcome:
    job: Job | None = None
    started = time.monotonic()
    try:
        job = Job(resolve(config), folder)
        check_tasks()
        refuse_ddp_sweep(job.config, multirun=multirun)
        with _alone(job.folder):
            return Outcome(folder, job.run())
    except (KeyboardInterrupt, SystemExit) as stop:
        number = signal_of(stop)
        if job is not None and is_stopped_by_agent(stop):
            job.stop_early("stopped early by its W&B sweep")
            return Outcome(folder, "pruned")
        stop_flag.interrupt(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # Lightning leaves it ignored
        stop_signals.install()
        if job is not None and (ended := job.status) in record.FINISHED:
            return Outcome(folder, ended)
        log.warning("%s: interrupted by %s; the same command resumes from its last checkpoint", folder, number.name)
        return Outcome(folder, "interrupted")
    except Exception as error:
        explained = explain(error)
        status = "refused" if isinstance(explained, InputError) else "failed"
        reason = first_line(error, limit=300, kind=True) if explained is None else str(explained)
        suffix = "" if job is None else job.fail(reason)
        if explained is None:
            traceback_log.exception("the job failed")
            log.error(
                "%s failed after %.0f s: %s (traceback in its train.log)%s",
                folder,
                time.monotonic() - started,
                reason,
                suffix,
            )
        else:
            log.error("error: %s%s", reason, suffix)
            if not isinstance(error, InputError | MachineError):  # a full disk and the like: where it struck may matter
                traceback_log.exception("the job was given up")
        stop_flag.reason = broken_gpu() or stop_flag.reason
        return Outcome(folder, status, reason)
    finally:
        if multirun:  # raised where Hydra makes the next job, signals would end the sweep without its table
            stop_signals.defer(*STOPS)


def resolve(config: DictConfig) -> Config:
    """Resolve a configuration, without what is Hydra's own in it, and check it.

    Raises:
        InputError: a value is missing, of the wrong type or out of range, or there is no such key.
    """
    own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    try:
        plain = OmegaConf.to_container(own, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise InputError(f"the configuration does not resolve: {error}") from error
    assert isinstance(plain, dict)
    resolved = {str(key): value for key, value in plain.items()}
    refuse_unknown(resolved, known_keys(resolved.get("logger")), text=OmegaConf.to_yaml(config, resolve=False))
    return parse(resolved)


@contextmanager
def _alone(folder: JobFolder) -> Iterator[None]:
    if not is_main_process():
        yield
        return
    # A job that a cluster starts again may follow one on a dead node, whose lock has to expire.
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(folder.lock, timeout=2 * LEASE_SECONDS if is_restarted() else 0))
        except HeldElsewhere as error:
            raise InputError(
                f"{folder} is being trained by another process (or was until a moment ago: a lock of one that was "
                f"killed holds for {LEASE_SECONDS:.0f} s); wait for it, or choose another name="
            ) from error
        for place in (folder.path, folder.checkpoints):  # not below them: other jobs' directories may lie there
            remove_temporary(place)
        yield


class Job:
    """One job and its directory.

    Args:
        config: of the job.
        folder: the directory that follows from the job's choices.

    Attributes:
        config: of the job.
        folder: the same directory, and what lies where in it.
    """

    def __init__(self, config: Config, folder: Path) -> None:
        self.config = config
        self.folder = JobFolder(folder)
        self._record: Record | None = None  # once this job has started

    @property
    def status(self) -> str | None:
        """How far this attempt has come, as its record says; None before it has started."""
        return None if self._record is None else self._record.status

    def run(self) -> str:
        """Skip, resume or train.

        Returns:
            `skipped`, `complete` or `pruned`; or `checked` by `trainer.fast_dev_run`, which leaves nothing behind.

        Raises:
            InputError: the directory holds a run of another configuration, or any other mistake of the user's.
        """
        if self.config.trainer.fast_dev_run:
            return self._check()
        previous = self.folder.read() if self.config.resume else None
        if previous is not None and is_finished(self.folder, previous, self.config):
            earlier_root = previous.setting("data.root")
            suffix = f" (on {earlier_root})" if earlier_root != self.config.data.root else ""
            log.info("%s: %s%s, skipped", self.folder, previous.status, suffix)
            return "skipped"
        from agegender.jobs.fit import has_optimizer, train  # imports torch

        if previous is not None and is_to_extend(previous, self.config) and self.folder.last.exists():
            refuse_without_optimizer(self.folder, has_optimizer=has_optimizer(self.folder.last))
        return train(self.config, self.folder, self._begin(previous), self._write)

    def _check(self) -> str:
        """Run a batch of everything elsewhere: a network that was hardly trained is no result, and no run is lost."""
        from agegender.jobs.fit import train  # imports torch

        entry = self._new_record()
        with TemporaryDirectory(prefix="agegender-") as folder:
            train(self.config, JobFolder(Path(folder)), entry, lambda _: None)
        log.info("%s: fast_dev_run: training, validation and test work; no record is kept", self.folder)
        return "checked"

    def _new_record(self) -> Record:
        return Record(
            status="running",
            name=self.config.name,
            choices=_choices(),
            overrides=list(HydraConfig.get().overrides.task),
            config=self.config.plain,
            seed=self.config.seed,
            started=_now(),
            git=git_state(),
        )

    def _begin(self, previous: Record | None) -> Record:
        if is_main_process() and (previous is None or not self.folder.last.exists()):
            shutil.rmtree(self.folder.checkpoints, ignore_errors=True)  # of an attempt that cannot be resumed
        entry = self._new_record()
        if previous is not None:
            entry.wandb_id = previous.wandb_id
            entry.tracking = previous.tracking
            if self.folder.last.exists():
                entry.data = previous.data
        if previous is None or previous.status not in record.FINISHED:
            self._write(entry)  # a complete run's record stays until the longer one really trains
        return entry

    def _write(self, entry: Record) -> None:
        is_first = self._record is None
        self._record = entry
        if not is_main_process():
            return
        if entry.status != "running":
            entry.finished = _now()
        self.folder.write(entry)
        if is_first:
            write_atomically(self.folder.config, OmegaConf.to_yaml(OmegaConf.create(self.config.plain)))

    def stop_early(self, reason: str) -> None:
        """Record that a search of somebody else's has ended this trial."""
        if self._record is not None:
            self._record.status = "pruned"
            self._record.error = reason
            self._write(self._record)

    def fail(self, reason: str) -> str:
        """Record why the job failed; a record that this job did not start stays as it is.

        Returns:
            What to append to the line of the failure: nothing, or that the record cannot be written.
        """
        if self._record is not None and self._record.status not in record.FINISHED:
            self._record.status = "failed"
            self._record.error = reason
            try:
                self._write(self._record)
            except OSError as error:
                path = str(self.folder.record)
                return "" if path in reason else f" ({describe(error) or error}: it cannot record this)"
        return ""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _choices() -> dict[str, Any]:
    """The option of each config group, and every other key that the command line set and that makes a difference."""
    hydra_config = HydraConfig.get()
    groups = {key: value for key, value in hydra_config.runtime.choices.items() if key.partition("/")[0] != "hydra"}
    choices: dict[str, Any] = {key: value for key, value in groups.items() if value is not None}
    for override in hydra_config.overrides.task:
        key, value = key_and_text(override)
        if key not in groups and identity.is_identity(key):
            choices[key] = value
    return choices
