"""The losses and accuracies of a job, epoch by epoch."""

import time
from typing import Any

import lightning

from agegender.records.record import finite

_METRICS = {  # key in the history: key in Lightning
    "train_loss": "train/loss",
    "val_loss": "val/loss",
    "val_age_accuracy": "val/age_accuracy",
    "val_gender_accuracy": "val/gender_accuracy",
}


class History(lightning.Callback):
    """Records one entry per finished epoch.

    The entries are stored in the checkpoint from which a killed job resumes. So an epoch that is finished there has one
    entry, and a later one is trained, and recorded, again.

    Args:
        epochs: filled in place; see `Record.history`.
    """

    def __init__(self, epochs: list[dict[str, Any]]) -> None:
        self._epochs = epochs
        self._validated = False
        self._seconds_before = 0.0  # of earlier attempts
        self._fit_start = 0.0

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._fit_start = time.perf_counter()

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._validated = False

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._validated = True

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Add the entry before the checkpoint is written: Lightning calls checkpoint callbacks last."""
        values = trainer.callback_metrics  # without a validation in this epoch, they still hold those of the last one
        known = {
            key: finite(float(values[name])) if name in values and (self._validated or key == "train_loss") else None
            for key, name in _METRICS.items()
        }
        self._epochs.append({"epoch": trainer.current_epoch + 1, **known, "seconds": round(self._seconds(), 3)})

    def state_dict(self) -> dict[str, Any]:
        return {"epochs": [dict(epoch) for epoch in self._epochs], "seconds": self._seconds()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._epochs[:] = state_dict["epochs"]
        self._seconds_before = state_dict["seconds"]

    def _seconds(self) -> float:
        return self._seconds_before + time.perf_counter() - self._fit_start
