"""The line that the log has for each epoch."""

import logging
from collections.abc import Callable

import lightning
from lightning.pytorch.utilities import rank_zero_only

from agegender.training import timing

log = logging.getLogger("agegender.jobs.fit")


class EpochLog(lightning.Callback):
    """Logs one line per epoch, for log files of clusters, which have no progress bar; and updates the record.

    Args:
        timer: of the same trainer, for the images per second.
        write_record: called after each epoch.
    """

    def __init__(self, timer: timing.FitTimer, write_record: Callable[[], None]) -> None:
        self._timer = timer
        self._write_record = write_record
        self._validated = False  # in this epoch

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._validated = not trainer.sanity_checking

    @rank_zero_only
    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        values = trainer.callback_metrics
        shown = {
            key: f"{float(values[name]):.4f}"
            for key, name in (
                ("loss", "train/loss"),
                ("val loss", "val/loss"),
                ("age", "val/age_accuracy"),
                ("gender", "val/gender_accuracy"),
            )
            if name in values and (self._validated or name == "train/loss")
        }
        self._validated = False
        text = ", ".join(f"{key} {value}" for key, value in shown.items())
        speed = self._timer.epoch_images_per_second
        log.info("epoch %d/%s: %s, %.0f images/s", trainer.current_epoch + 1, trainer.max_epochs, text, speed)
        self._write_record()
