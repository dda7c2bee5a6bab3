"""What of a training is kept on disk: its best epoch, its last one, and where it stood when it had to stop."""

import signal
import time
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import EarlyStopping, EMAWeightAveraging, ModelCheckpoint

from agegender.data.loading import BatchLoader
from agegender.signals import Terminated, stop_signals


def make_callbacks(config: dict[str, Any], folder: Path) -> list[lightning.Callback]:
    """Make the callbacks that average, keep and stop.

    Args:
        config: resolved and checked.
        folder: of `best.ckpt` and `last.ckpt`.
    """
    callbacks = averaging(config)
    if config["trainer"]["fast_dev_run"]:
        return callbacks
    callbacks.append(Interruptible(folder / "last.ckpt", config["checkpoint_minutes"]))
    chosen = {"monitor": config["monitor"], "mode": _mode(config["monitor"])}
    if config["data"]["train_part"] == "trainval":
        chosen = {"mode": "max"}  # nothing to choose by: the last epoch; the mode tells this callback from the next
    callbacks.append(_checkpoint(folder, "best", **chosen))
    callbacks.append(_checkpoint(folder, "last"))
    if config["early_stopping"] is not None:
        callbacks.append(
            EarlyStopping(config["monitor"], patience=config["early_stopping"], mode=_mode(config["monitor"]))
        )
    return callbacks


def averaging(config: dict[str, Any]) -> list[lightning.Callback]:
    """Give Lightning's moving average of the weights, evaluated and saved in their place, if there is to be one."""
    decay = config["weight_averaging"]
    return [] if decay is None else [EMAWeightAveraging(decay=decay)]


def _checkpoint(folder: Path, name: str, **options: Any) -> ModelCheckpoint:
    return ModelCheckpoint(
        folder,
        filename=name,
        save_weights_only=name == "best",
        save_on_train_epoch_end=True,
        enable_version_counter=False,
        auto_insert_metric_name=False,
        **options,
    )


def _mode(monitor: str) -> str:
    return "min" if monitor.endswith(("loss", "mae_years")) else "max"


class Interruptible(lightning.Callback):
    """Saves within an epoch: every so many minutes, and when a signal asks the job to stop, which it then does.

    A job that goes on from there ends with the weights of one that was never stopped: the order of the images and all
    random numbers follow from seed, epoch and step. Data that worker processes load cannot be gone on with in the
    middle of an epoch; such a job stops at once, and its epoch begins anew.

    Args:
        path: of the checkpoint.
        minutes: of training between checkpoints, those of finished epochs included; None: only finished epochs'.
    """

    def __init__(self, path: Path, minutes: float | None) -> None:
        self._path, self._minutes = path, minutes
        self._saved = 0.0
        self._loader: BatchLoader | None = None
        self._resumed: dict[str, int] | None = None  # state of the loader

    def state_dict(self) -> dict[str, Any]:
        return {"loader": self._loader.state_dict() if self._loader is not None else None}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._resumed = state_dict["loader"]

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Find the place in the epoch: Lightning does it too, but not where a schedule has asked for its steps."""
        loader = trainer.train_dataloader
        self._loader = loader if isinstance(loader, BatchLoader) else None
        if self._loader is not None and self._resumed is not None:
            self._loader.load_state_dict(self._resumed)
        self._saved = time.monotonic()
        stop_signals.install()  # in place of Lightning's, which ends a training without a checkpoint
        stop_signals.deferring = True

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._saved = time.monotonic()
        self._stop_if_asked(trainer)  # in the validation of the epoch before

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.is_last_batch or (batch_idx + 1) % trainer.accumulate_grad_batches:
            return  # validation and the epoch's own checkpoint follow; or gradients would be lost
        if self._loader is None:
            self._stop_if_asked(trainer)
            return
        asked = self._any(trainer, stop_signals.received is not None)
        if asked or self._any(trainer, self._due()):
            trainer.save_checkpoint(self._path)
            self._saved = time.monotonic()
        if asked:
            self._stop()

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._stop_if_asked(trainer)
        stop_signals.deferring = False

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        stop_signals.deferring = False

    def _due(self) -> bool:
        return self._minutes is not None and time.monotonic() - self._saved > 60 * self._minutes

    def _stop_if_asked(self, trainer: lightning.Trainer) -> None:
        if self._any(trainer, stop_signals.received is not None):
            self._stop()

    def _stop(self) -> None:
        stop_signals.deferring = False
        raise Terminated(stop_signals.received or signal.SIGTERM)

    def _any(self, trainer: lightning.Trainer, value: bool) -> bool:
        """Agree among processes: one that stops alone would leave the others waiting for it."""
        return trainer.strategy.reduce_boolean_decision(value, all=False) if trainer.world_size > 1 else value
