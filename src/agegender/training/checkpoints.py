"""What of a training is kept on disk: its best epoch, its last one, and where it stood when it had to stop."""

import logging
import signal
import time
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import ModelCheckpoint, WeightAveraging
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from agegender.data.loading import BatchLoader
from agegender.system.errors import InputError
from agegender.system.signals import CLUSTER_STOPS, STOPS, Terminated, stop_signals

log = logging.getLogger(__name__)

# Between two `last.ckpt` where epochs are shorter: writing the 1.5 GB of VGG11's may take as long as an epoch on a GPU.
_EPOCHS_SECONDS = 60.0
_STEPS_PER_AGREEMENT = 10  # of several processes: a signal waits for so many steps at most


class MovingAverage(WeightAveraging):
    """Lightning's exponential moving average; integers, such as the group of an age, are no weights and stay whole.

    Args:
        decay: share of the average that a step leaves.
    """

    def __init__(self, decay: float) -> None:
        average = get_ema_multi_avg_fn(decay)

        def follow(averaged: list[Tensor], current: list[Tensor], num_averaged: Tensor | int) -> None:
            if averaged[0].is_floating_point():  # a list is of one type
                average(averaged, current, num_averaged)
            else:
                for one, other in zip(averaged, current, strict=True):
                    one.copy_(other)

        super().__init__(multi_avg_fn=follow)

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Make the average where the weights will be: they move to a GPU only after this."""
        self._device = trainer.strategy.root_device
        super().setup(trainer, pl_module, stage)

    @property
    def state_key(self) -> str:
        """Name its state in checkpoints as Lightning's own average does."""
        return "EMAWeightAveraging"


class Kept(ModelCheckpoint):
    """A checkpoint of one name, which a run's directory may be moved with.

    Args:
        folder: where it lies.
        name: `last`; or `best`, of the weights alone: those that validation has seen.
        callbacks: of the same trainer; a moving average among them stands for the weights, which Lightning forgets
            where weights alone are saved.
        options: of Lightning's checkpoint.
    """

    def __init__(self, folder: Path, name: str, callbacks: list[lightning.Callback], **options: Any) -> None:
        self._averages = [callback for callback in callbacks if isinstance(callback, WeightAveraging)]
        self._validated = False  # in this epoch
        super().__init__(
            folder,
            filename=name,
            save_weights_only=name == "best",
            save_on_train_epoch_end=True,
            enable_version_counter=False,
            auto_insert_metric_name=False,
            **options,
        )

    @property
    def state_key(self) -> str:
        """Name its state in checkpoints as Lightning's own does."""
        return super().state_key.replace(type(self).__qualname__, ModelCheckpoint.__qualname__, 1)

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._validated = not trainer.sanity_checking
        super().on_validation_end(trainer, pl_module)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        validated, self._validated = self._validated, False
        if self.monitor is not None and not validated:
            return  # Lightning would judge these weights by the score of an earlier epoch
        for average in self._averages:
            average.on_validation_epoch_start(trainer, pl_module)  # in the place of the weights, as in validation
        super().on_train_epoch_end(trainer, pl_module)
        for average in self._averages:
            average.on_validation_epoch_end(trainer, pl_module)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Keep the last weights, averaged by now, where the training ended before its first validation."""
        super().on_train_end(trainer, pl_module)
        if self.monitor is not None and not self.best_model_path and trainer.global_step > 0:
            trainer.save_checkpoint(Path(str(self.dirpath)) / f"{self.filename}.ckpt", weights_only=True)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the best score so far: Lightning forgets it where the directory has another name than before."""

        def here(path: str) -> str:
            return str(Path(str(self.dirpath)) / Path(path).name) if path else path

        paths = {key: here(state_dict[key]) for key in ("best_model_path", "kth_best_model_path", "last_model_path")}
        scores = {here(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict(state_dict | paths | {"dirpath": self.dirpath, "best_k_models": scores})


class KeptLast(Kept):
    """`last.ckpt` at the ends of epochs: of the last one, of one with a signal to stop, and where the former is old.

    Args:
        folder: where it lies.
        interruptible: of the same trainer, which writes the same file within epochs.
    """

    def __init__(self, folder: Path, interruptible: "Interruptible") -> None:
        super().__init__(folder, "last", [])
        self._interruptible = interruptible

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self._interruptible.is_due_at_epoch_end(trainer):
            super().on_train_epoch_end(trainer, pl_module)
            self._interruptible.count_saved(trainer)


def _is_last_epoch(trainer: lightning.Trainer) -> bool:
    """Whether the training ends with this epoch, at whose end this is asked."""
    is_last = trainer.max_epochs is not None and 0 <= trainer.max_epochs <= trainer.current_epoch + 1
    return is_last or trainer.should_stop or 0 <= trainer.max_steps <= trainer.global_step


class Interruptible(lightning.Callback):
    """Saves within an epoch: every so many minutes, and when a signal asks the job to stop, which it then does.

    At the ends of epochs `KeptLast` saves, where a minute has passed since the last checkpoint, or `minutes` if these
    are less.

    A job that goes on from there ends with the weights of one that was never stopped: the order of the images and all
    random numbers follow from seed, epoch and step. Data that worker processes load cannot be gone on with in the
    middle of an epoch; such a job stops at once, and begins anew with the epoch after its last checkpoint.

    Args:
        path: of the checkpoint.
        minutes: of training between checkpoints, those of finished epochs included; None: only finished epochs'.
    """

    def __init__(self, path: Path, minutes: float | None) -> None:
        self._path, self._minutes = path, minutes
        self._saved = 0.0  # when
        self._saved_step: int | None = None  # of this attempt, at which its last checkpoint was written
        self._loader: BatchLoader | None = None
        self._world_size = 1
        self._resumed: dict[str, Any] = {}

    def state_dict(self) -> dict[str, Any]:
        loader = self._loader.state_dict() if self._loader is not None else None
        return {"loader": loader, "world_size": self._world_size}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._resumed = state_dict

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Find the place in the epoch: Lightning does it too, but not where a schedule has asked for its steps.

        Raises:
            InputError: the job was begun on another number of devices.
        """
        self._world_size = trainer.world_size
        if (begun := self._resumed.get("world_size", trainer.world_size)) != trainer.world_size:
            raise InputError(
                f"this job was begun on {begun} devices in all, which its steps and schedule follow, and there are "
                f"{trainer.world_size} now; run it where there are as many, or give resume=false to begin anew"
            )
        loader = trainer.train_dataloader
        self._loader = loader if isinstance(loader, BatchLoader) else None
        if self._loader is not None and self._resumed.get("loader") is not None:
            self._loader.load_state_dict(self._resumed["loader"])
        self._saved = time.monotonic()
        stop_signals.install()  # in place of Lightning's, which ends a training without a checkpoint
        # Ctrl-C reaches a terminal's processes all at once: without those that load the data no step may follow.
        stop_signals.defer(*(CLUSTER_STOPS if self._loader is None else STOPS))

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Stop for a signal in the validation of the epoch before: at once, or after a step where none is saved yet."""
        if self._loader is None or self._saved_step == trainer.global_step:
            self._stop_if_asked(trainer)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.is_last_batch and self._loader is not None:
            self._loader.end_epoch()
        if trainer.is_last_batch or (batch_idx + 1) % trainer.accumulate_grad_batches:
            return  # validation and the epoch's own checkpoint follow; or gradients would be lost
        if self._loader is None:
            self._stop_if_asked(trainer)
            return
        is_due = stop_signals.received is not None or self._due()
        if not self._agrees_now(trainer) or not self._any(trainer, is_due):
            return
        asked = self._any(trainer, stop_signals.received is not None)
        trainer.save_checkpoint(self._path)
        self.count_saved(trainer)
        if asked:
            self._stop()

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._stop_if_asked(trainer)
        stop_signals.defer()

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        stop_signals.defer()

    def is_due_at_epoch_end(self, trainer: lightning.Trainer) -> bool:
        """Whether the end of this epoch is to be kept; the processes of a job agree."""
        seconds = _EPOCHS_SECONDS if self._minutes is None else min(_EPOCHS_SECONDS, 60 * self._minutes)
        is_old = time.monotonic() - self._saved >= seconds
        is_asked = stop_signals.received is not None
        return self._any(trainer, _is_last_epoch(trainer) or is_old or is_asked)

    def count_saved(self, trainer: lightning.Trainer) -> None:
        """Count from now, and from this step, until the next checkpoint."""
        self._saved = time.monotonic()
        self._saved_step = trainer.global_step

    def _due(self) -> bool:
        return self._minutes is not None and time.monotonic() - self._saved > 60 * self._minutes

    def _stop_if_asked(self, trainer: lightning.Trainer) -> None:
        if self._any(trainer, stop_signals.received is not None):
            self._stop()

    def _stop(self) -> None:
        stop_signals.defer()
        raise Terminated(stop_signals.received or signal.SIGTERM)

    def _agrees_now(self, trainer: lightning.Trainer) -> bool:
        """Whether the processes ask each other at this step: a blocking all-reduce, so not at every one."""
        return trainer.world_size == 1 or trainer.global_step % _STEPS_PER_AGREEMENT == 0

    def _any(self, trainer: lightning.Trainer, value: bool) -> bool:
        """Agree among processes: one that stops alone would leave the others waiting for it."""
        return trainer.strategy.reduce_boolean_decision(value, all=False) if trainer.world_size > 1 else value
