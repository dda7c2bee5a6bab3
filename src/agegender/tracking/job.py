"""The loggers of a job: Weights & Biases, and those of Lightning, by their names in the configuration."""

import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger

from agegender.records.record import Record
from agegender.system.errors import describe, first_line
from agegender.system.signals import signal_of
from agegender.tracking.loggers import make_logger, run_id_of
from agegender.tracking.wandb_job import WandbJob
from agegender.tracking.wandb_run import is_stopped_by_agent

_TRACEBACK_LINES = 20  # of a bug, for the logs of its run


class JobTracker:
    """The loggers of one job.

    Args:
        entries: of `logger` in the configuration: `wandb`, and the `_target_`s of Lightning's loggers.
        record: of the job; its configuration and the ids of earlier attempts are used, and new ids are set.
        folder: the job's directory.
        runs_folder: of the sweep; the run's name is the job's place in it.
        job_type: `train` or `eval`.

    Raises:
        InputError: an entry is no logger, lacks its package, or refuses its arguments.
    """

    def __init__(
        self,
        entries: Mapping[str, Mapping[str, Any]],
        record: Record,
        folder: Path,
        runs_folder: Path,
        *,
        job_type: str = "train",
    ) -> None:
        self.loggers: list[Logger] = []
        self._wandb: WandbJob | None = None
        name = _name(record, folder, runs_folder)
        for key, entry in entries.items():
            if key == "wandb":
                continue
            logger = make_logger(key, entry, record, folder, name)
            if "run_id" not in record.tracking.get(key, {}):  # MLflow takes only the parameters of the first attempt
                logger.log_hyperparams(record.config)
            if run_id := run_id_of(logger):
                record.tracking[key] = run_id
            self.loggers.append(logger)
        if "wandb" in entries:  # last: nothing after it can fail and leave its run open
            self._wandb = WandbJob(entries["wandb"], record, folder, name, job_type)
            self.loggers.append(self._wandb.logger)

    def describe(self, record: Record, epochs_done: Callable[[], float] | None = None) -> None:
        """Log what is known once the data, the network and the trainer are there.

        Args:
            record: with its data, parameters, GMACs and environment.
            epochs_done: returns how many epochs are trained so far, with the share of the last; None: an evaluation.
        """
        if self._wandb is not None:
            self._wandb.describe(record, epochs_done)

    def finish(self, record: Record, labels: Mapping[str, Sequence[int]] | None, group_names: Sequence[str]) -> None:
        """Log a job's results in W&B, and end its run there; Lightning ends the other loggers.

        Args:
            record: complete, or pruned.
            labels: `group`, `group_predicted`, `gender`, `gender_predicted` of each test image; None without a test.
            group_names: of the age groups.
        """
        if self._wandb is not None:
            self._wandb.finish(record, labels, group_names)
            self._wandb = None

    def fail(self, error: BaseException) -> None:
        """Log why a job has ended early, and end its runs; W&B shows one that a signal stopped as preempted."""
        for logger in self.loggers:
            with suppress(Exception):  # of its server, perhaps; the job's own error is what matters
                logger.finalize("failed")
        if self._wandb is None:
            return
        if is_stopped_by_agent(error):
            self._wandb.stop_early()
        elif isinstance(error, KeyboardInterrupt | SystemExit):
            number = signal_of(error)
            self._wandb.preempt(f"interrupted by {number.name}", 128 + number)
        else:
            reason = describe(error)
            lines = [] if reason is not None else traceback.format_exception(error)[-_TRACEBACK_LINES:]
            self._wandb.fail(reason or first_line(error, limit=300, kind=True), "".join(lines))
        self._wandb = None


def _name(record: Record, folder: Path, runs_folder: Path) -> str:
    """Return the job's place below `runs/<name>`; where it lies elsewhere, what it chose."""
    place = folder.resolve()
    root = runs_folder.resolve()
    if place != root and place.is_relative_to(root):
        return place.relative_to(root).as_posix()
    return "/".join(str(record.choices.get(key, key)) for key in ("model", "loss")) + f"/{record.seed}"
