"""How a job's losses and accuracies went, epoch by epoch."""

import time
from typing import Any

import lightning

from agegender.records.record import finite

_METRICS = {  # key of the history: Lightning's
    "train_loss": "train/loss",
    "val_loss": "val/loss",
    "val_age_accuracy": "val/age_accuracy",
    "val_gender_accuracy": "val/gender_accuracy",
}


class History(lightning.Callback):
    """Keep one entry per finished epoch.

    The entries travel in the checkpoint that a killed job goes on from: what the checkpoint knows as finished is in
    them once, what it does not know is trained again.

    Args:
        epochs: filled in place; see `Record.history`.
    """

    def __init__(self, epochs: list[dict[str, Any]]) -> None:
        self._epochs = epochs
        self._validated = False
        self._seconds_before = 0.0  # of earlier attempts
        self._began = 0.0

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._began = time.perf_counter()

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._validated = False

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._validated = True

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Come before the checkpoints: Lightning calls those last."""
        values = trainer.callback_metrics  # of an epoch without validation it still has the last one's
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
        return self._seconds_before + time.perf_counter() - self._began
