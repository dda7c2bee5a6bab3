"""The W&B run of a job. A failure of W&B is logged and never fails a job."""

import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger

from agegender.labels import GENDERS
from agegender.records.job_folder import JobFolder
from agegender.records.record import PREDICTIONS, Record
from agegender.tracking.wandb_run import (
    environments_run_id,
    finish_run,
    guarded,
    log_files,
    start_run,
    use_split,
    valid_tags,
)

log = logging.getLogger(__name__)


class WandbJob:
    """The W&B run of one job.

    All calls of W&B run in a separate thread, in order. Training waits for neither its import nor its server, except
    at the end, which waits until everything is logged.

    Args:
        settings: the keys of `logger.wandb`.
        record: of the job; its configuration and W&B id are used, and the id is set if it is missing.
        folder: the job's directory.
        name: of the run.
        job_type: of the run, by which a dashboard can group.

    Attributes:
        logger: for Lightning's trainer.
    """

    def __init__(self, settings: Mapping[str, Any], record: Record, folder: Path, name: str, job_type: str) -> None:
        record.wandb_id = environments_run_id() or record.wandb_id or secrets.token_hex(4)
        self._record = record
        self._folder = folder
        self._best = JobFolder(folder).best
        self._log_model = settings.get("log_model", False)
        self._tags = list(record.config["tags"])
        self._run = _BackgroundRun(
            settings,
            folder,
            id=record.wandb_id,
            name=name,
            group=record.name,
            job_type=job_type,
            tags=valid_tags(self._tags),
            config={**record.config, "choices": record.choices, **_filters(record)},
        )
        self._run.then(_define_metrics)
        self._run.then(self._keep_address)
        self._lines = _LogLines(lambda line: self._run.then(lambda run: run.write_logs(line)))
        logging.getLogger().addHandler(self._lines)
        self.logger = _RunLogger(self._run)

    def describe(self, record: Record, epochs_done: Callable[[], float] | None) -> None:
        """Log the split, the network's cost and what the automatic settings became; as for `JobTracker.describe`."""
        self.logger.epochs_done = epochs_done
        filters = _filters(record)
        size = filters["image_size"]
        automatic = (filters["model_name"], filters["loss_name"], filters["age_groups"], size and f"{size}px")
        tags = valid_tags([*self._tags, *(str(tag) for tag in automatic if tag is not None)])
        known = {**filters, "data_fingerprint": record.data.get("fingerprint"), "resolved": dict(record.environment)}
        self._run.then(lambda run: run.config.update(known, allow_val_change=True))
        self._run.then(partial(_add_tags, tags=tags))
        self._summarize(
            {
                "model/params/total": record.num_params,
                "model/params/trainable": record.num_params_trainable,
                "model/gmacs": record.gmacs,
            }
        )
        if "split_file" in record.data:
            self._run.then(partial(use_split, manifest=Path(record.data["split_file"])))

    def finish(self, record: Record, labels: Mapping[str, Sequence[int]] | None, group_names: Sequence[str]) -> None:
        """Log a job's results, and end its run; arguments as for `JobTracker.finish`."""
        values = {f"test/{key}": value for key, value in record.test.items() if isinstance(value, float)}
        values |= {f"best/{key}": value for key, value in record.val.items() if isinstance(value, float)}
        values |= {f"time/{key}": value for key, value in record.time.items()}
        self._summarize(values | {"best/epoch": record.best_epoch, "status": record.status})
        if labels is not None:
            self._run.then(lambda run: run.log(_confusion_charts(labels, group_names)))
        predictions = self._folder / PREDICTIONS
        if labels is not None and predictions.is_file():
            self._store(f"predictions-{record.wandb_id}", "predictions", predictions)
        if self._log_model and self._best.is_file():
            self._store(f"model-{record.wandb_id}", "model", self._best, aliases=["best", "latest"])
        self._close(0)

    def fail(self, reason: str, traceback: str) -> None:
        """Log why the job failed, and end its run so.

        Args:
            reason: one line.
            traceback: its last lines; empty for a mistake of the user's.
        """
        if traceback:
            self._run.then(lambda run: run.write_logs(traceback))
        self._run.then(lambda run: run.write_logs(f"error: {reason}"))
        self._summarize({"status": "failed", "error": reason})
        self._close(1)

    def preempt(self, reason: str, exit_code: int) -> None:
        """End the run of a job that a signal has stopped and that can be resumed: W&B shows it as preempted."""
        self._run.then(lambda run: run.write_logs(reason))
        self._summarize({"status": "interrupted"})
        self._run.then(lambda run: run.mark_preempting())
        self._close(exit_code)

    def stop_early(self) -> None:
        """End the run of a trial that its W&B sweep has stopped: it did worse than others."""
        self._summarize({"status": "pruned"})
        self._close(0)

    def _close(self, exit_code: int) -> None:
        logging.getLogger().removeHandler(self._lines)
        self._run.finish(exit_code)

    def _store(self, name: str, kind: str, path: Path, *, aliases: Sequence[str] | None = None) -> None:
        self._run.then(lambda run: log_files(run, name, kind, {path.name: path}, aliases=aliases))

    def _summarize(self, values: dict[str, Any]) -> None:
        known = {key: value for key, value in values.items() if value is not None}  # an evaluation chooses no epoch
        self._run.then(lambda run: run.summary.update(known))

    def _keep_address(self, run: Any) -> None:
        if not run.offline and run.url:
            self._record.tracking["wandb"] = {"url": run.url}
            log.info("W&B: %s", run.url)


def _filters(record: Record) -> dict[str, Any]:
    """Return what dashboards group and filter runs by, under names that never change."""
    return {
        "model_name": model_label(record),
        "loss_name": record.choices.get("loss"),
        "num_params": record.num_params,
        "split_hash": record.data.get("split_hash"),
        "age_groups": record.data.get("age_groups", {}).get("scheme"),
        "image_size": record.data.get("image_size"),
    }


def model_label(record: Record) -> str | None:
    """Return the name of a run's network: `timm` stands for a thousand, so its own name follows."""
    model = record.choices.get("model")
    return f"timm {record.setting('model.name')}" if model == "timm" else model


def _add_tags(run: Any, *, tags: Sequence[str]) -> None:
    run.tags = tuple(dict.fromkeys([*run.tags, *tags]))  # those of WANDB_TAGS are there already


def _define_metrics(run: Any) -> None:
    """Use `epoch` as the x-axis of train/* and val/*."""
    run.define_metric("epoch", hidden=True)
    run.define_metric("train/loss_step", step_metric="trainer/global_step")
    for names in ("train/*", "val/*"):
        run.define_metric(names, step_metric="epoch")


class _BackgroundRun:
    """A W&B run that one thread starts, fills and finishes, in order."""

    def __init__(self, settings: Mapping[str, Any], folder: Path, **arguments: Any) -> None:
        self._thread = ThreadPoolExecutor(1, "wandb")
        self._start = self._thread.submit(guarded, lambda: start_run(settings, folder, **arguments))

    def then(self, action: Callable[[Any], Any]) -> None:
        """Queue an action on the run; if the run could not be started, it is skipped."""
        self._thread.submit(guarded, lambda: action(run) if (run := self._start.result()) is not None else None)

    def finish(self, exit_code: int) -> None:
        """End the run after all queued actions, and wait for that."""
        self.then(lambda run: finish_run(run, exit_code))
        self._thread.shutdown()


class _LogLines(logging.Handler):
    """Hands the lines of the job's log to a function."""

    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        if not record.threadName or not record.threadName.startswith("wandb"):  # its own warnings would loop forever
            self._write(self.format(record))


class _RunLogger(Logger):
    """Lightning's logger for the run: metrics by step."""

    def __init__(self, run: _BackgroundRun) -> None:
        super().__init__()
        self._run = run
        self.epochs_done: Callable[[], float] | None = None

    @property
    def name(self) -> str:
        return "wandb"

    @property
    def version(self) -> None:
        return None

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the run was started with the configuration."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        values = {**metrics, "trainer/global_step": step}
        values.pop("epoch", None)  # Lightning's, which is the same for all validations of an epoch
        if self.epochs_done is not None and not any(key.startswith("test/") for key in values):
            values["epoch"] = round(self.epochs_done(), 4)
        self._run.then(lambda run: run.log(values))


def _confusion_charts(labels: Mapping[str, Sequence[int]], group_names: Sequence[str]) -> dict[str, Any]:
    import wandb

    charts = {}
    for title, key, names in (("age", "group", group_names), ("gender", "gender", GENDERS)):
        pairs = [pair for pair in zip(labels[key], labels[f"{key}_predicted"], strict=True) if pair[0] >= 0]
        if pairs:
            charts[f"test/{title}_confusion"] = wandb.plot.confusion_matrix(
                y_true=[true for true, _ in pairs],
                preds=[predicted for _, predicted in pairs],
                class_names=list(names),
                title=title,
            )
    return charts
