"""What is logged to Weights & Biases about a job. A failure of W&B is logged and never fails a job."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CSVLogger, Logger

from agegender.labels import GENDERS
from agegender.records.record import Record
from agegender.tracking.wandb_run import guarded, start_run, use_split

_BEST = {  # which value of these the summary keeps, in addition to the last one
    "val/loss": "min",
    "val/age_accuracy": "max",
    "val/gender_accuracy": "max",
    "val/mean_accuracy": "max",
    "val/age_mae_years": "min",
}


class JobTracker:
    """The loggers of one job.

    All calls of W&B run in a separate thread, in order. Training waits for neither its import nor its server, except
    in `close`, which waits until everything is logged.

    Args:
        settings: the `logger` keys of the configuration.
        record: of the job; its configuration, data and W&B id are used, and the id is set if it is missing.
        folder: the job's directory.
    """

    def __init__(self, settings: dict[str, Any], record: Record, folder: Path) -> None:
        self._run: _BackgroundRun | None = None
        self.logger: Any = False
        if settings["kind"] == "csv":
            self.logger = CSVLogger(folder, name="", version="")
        if settings["kind"] == "wandb":
            record.wandb_id = record.wandb_id or secrets.token_hex(4)
            self._run = _BackgroundRun(
                settings,
                folder,
                id=record.wandb_id,
                name="/".join(str(record.choices.get(key, key)) for key in ("model", "loss")) + f"/{record.seed}",
                group=record.name,
                job_type="train",
                tags=_tags(record),
                config={**record.config, "choices": record.choices, **_filters(record)},
            )
            self._run.then(_define_metrics)
            if "split_file" in record.data:
                self._run.then(partial(use_split, manifest=Path(record.data["split_file"])))
            self.logger = _RunLogger(self._run)

    def describe_model(self, num_params: int, num_trainable: int, gmacs: float) -> None:
        """Add the network's cost to the summary."""
        self._summarize(
            {"model/params/total": num_params, "model/params/trainable": num_trainable, "model/gmacs": gmacs}
        )

    def finish(self, record: Record, labels: Mapping[str, Sequence[int]] | None, group_names: Sequence[str]) -> None:
        """Add a job's results to the summary, log both confusion matrices and close the run.

        Args:
            record: complete, or pruned.
            labels: `group`, `group_predicted`, `gender`, `gender_predicted` of each test image; None without a test.
            group_names: of the age groups.
        """
        values = {f"test/{key}": value for key, value in record.test.items() if isinstance(value, float)}
        values |= {f"time/{key}": value for key, value in record.time.items()}
        self._summarize(values | {"best_epoch": record.best_epoch, "status": record.status})
        if self._run is not None and labels is not None:
            self._run.then(lambda run: run.log(_confusion_charts(labels, group_names)))
        self.close(0)

    def close(self, exit_code: int) -> None:
        """End the run, so that the next job of the process gets its own; calling it again does nothing."""
        if self._run is not None:
            run = self._run
            self._run = None
            run.finish(exit_code)

    def _summarize(self, values: dict[str, Any]) -> None:
        if self._run is not None:
            self._run.then(lambda run: run.summary.update(values))


def _filters(record: Record) -> dict[str, Any]:
    """Return what dashboards group and filter runs by, under names that never change."""
    return {
        "model_name": record.choices.get("model"),
        "loss_name": record.choices.get("loss"),
        "num_params": record.num_params,
        "split_hash": record.data.get("split_hash"),
        "age_groups": record.data.get("age_groups", {}).get("scheme"),
        "image_size": record.data.get("image_size"),
    }


def _tags(record: Record) -> list[str]:
    filters = _filters(record)
    size = filters["image_size"]
    automatic = (filters["model_name"], filters["loss_name"], filters["age_groups"], size and f"{size}px")
    return list(dict.fromkeys([*record.config["tags"], *(str(tag) for tag in automatic if tag is not None)]))


def _define_metrics(run: Any) -> None:
    """Plot the metrics of epochs over epochs, and keep the best values in the summary."""
    run.define_metric("epoch", hidden=True)
    run.define_metric("train/loss_step", step_metric="trainer/global_step")
    for names in ("train/*", "val/*"):
        run.define_metric(names, step_metric="epoch")
    for name, best in _BEST.items():
        run.define_metric(name, step_metric="epoch", summary=f"{best},last")


class _BackgroundRun:
    """A W&B run that one thread starts, fills and finishes, in order."""

    def __init__(self, settings: dict[str, Any], folder: Path, **arguments: Any) -> None:
        self._thread = ThreadPoolExecutor(1, "wandb")
        self._start = self._thread.submit(guarded, lambda: start_run(settings, folder, **arguments))

    def then(self, action: Callable[[Any], Any]) -> None:
        """Queue an action on the run; if the run could not be started, it is skipped."""
        self._thread.submit(guarded, lambda: action(run) if (run := self._start.result()) is not None else None)

    def finish(self, exit_code: int) -> None:
        """End the run after all queued actions, and wait for that."""
        self.then(lambda run: run.finish(exit_code=exit_code))
        self._thread.shutdown()


class _RunLogger(Logger):
    """Lightning's logger for the run: metrics by step."""

    def __init__(self, run: _BackgroundRun) -> None:
        super().__init__()
        self._run = run

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
        epoch = values.pop("epoch", None)  # the current epoch, counted by Lightning from 0; in a test, one more
        if epoch is not None and not any(key.startswith("test/") for key in values):
            values["epoch"] = int(epoch) + 1
        self._run.then(lambda run: run.log(values))


def _confusion_charts(labels: Mapping[str, Sequence[int]], group_names: Sequence[str]) -> dict[str, Any]:
    import wandb

    return {
        f"test/{title}_confusion": wandb.plot.confusion_matrix(
            y_true=list(labels[key]), preds=list(labels[f"{key}_predicted"]), class_names=list(names), title=title
        )
        for title, key, names in (("age", "group", group_names), ("gender", "gender", GENDERS))
    }
