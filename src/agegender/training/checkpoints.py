"""The checkpoints of a training: of its best epoch, of its last one, and of the step at which it was stopped."""

import itertools
import logging
import signal
import time
from functools import cached_property
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint, WeightAveraging
from torch import nn
from torch.optim.swa_utils import AveragedModel

from agegender.data.loading import BatchLoader
from agegender.system.errors import InputError
from agegender.system.signals import CLUSTER_STOPS, STOPS, Terminated, stop_signals

log = logging.getLogger(__name__)

# Between `last.ckpt` of two short epochs: writing VGG11's 1.5 GB can take as long as an epoch on a GPU.
_MIN_SECONDS = 60.0
_STEPS_PER_AGREEMENT = 10  # between two checks of several processes: a signal waits for 10 steps at most


class _AveragedWeights(AveragedModel):
    """PyTorch's averaged model, updated in two calls that do not wait for a GPU.

    PyTorch's own update reads the number of updates from the device at every step. Here it stays on the CPU.

    Args:
        module: whose parameters and buffers are averaged; integers, such as the group of an age, are copied.
        decay: share of the average that remains after an update.
        device: of the average.
    """

    def __init__(self, module: nn.Module, decay: float, device: torch.device) -> None:
        super().__init__(module, use_buffers=True)
        self._decay = decay
        self.module.to(device)

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        averaged = itertools.chain(self.module.parameters(), self.module.buffers())
        pairs = list(zip(averaged, itertools.chain(model.parameters(), model.buffers()), strict=True))
        is_first = self.n_averaged.item() == 0
        to_average = [pair for pair in pairs if pair[0].is_floating_point() and not is_first]
        to_copy = [pair for pair in pairs if not pair[0].is_floating_point() or is_first]
        if to_average:
            own, current = zip(*to_average, strict=True)
            torch._foreach_lerp_(own, current, 1 - self._decay)  # pyright: ignore[reportPrivateImportUsage]
        if to_copy:
            own, current = zip(*to_copy, strict=True)
            torch._foreach_copy_(own, current)  # pyright: ignore[reportPrivateImportUsage]
        self.n_averaged += 1


class MovingAverage(WeightAveraging):
    """Lightning's exponential moving average, updated without waiting for a GPU.

    Args:
        decay: share of the average that remains after a step.
    """

    def __init__(self, decay: float) -> None:
        super().__init__()
        self._decay = decay

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Create the average on the device of the training: the weights move there only after this."""
        if stage == "fit":
            self._average_model = _AveragedWeights(pl_module, self._decay, trainer.strategy.root_device)

    @property
    def state_key(self) -> str:
        """Use the key of Lightning's own average in checkpoints."""
        return "EMAWeightAveraging"


class FixedNameCheckpoint(ModelCheckpoint):
    """A checkpoint with a fixed name in a directory that may be moved between two attempts.

    Args:
        folder: the directory.
        name: `last`; or `best`, which holds only weights: those that were validated.
        callbacks: of the same trainer; if one is a moving average, `best` holds the averaged weights, which Lightning
            itself would not do for checkpoints of weights only.
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

    @cached_property
    def state_key(self) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Use the key of Lightning's own class in checkpoints, so that this class can be renamed.

        Lightning asks for it at each of six hooks of a step, and writes it anew each time.
        """
        return super().state_key.replace(type(self).__qualname__, ModelCheckpoint.__qualname__, 1)

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._validated = not trainer.sanity_checking
        super().on_validation_end(trainer, pl_module)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        was_validated = self._validated
        self._validated = False
        if self.monitor is not None and not was_validated:
            return  # Lightning would compare these weights by the score of an earlier epoch
        for average in self._averages:
            average.on_validation_epoch_start(trainer, pl_module)  # swap the averaged weights in, as for validation
        super().on_train_epoch_end(trainer, pl_module)
        for average in self._averages:
            average.on_validation_epoch_end(trainer, pl_module)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Save the last weights, averaged by now, if the training ended before its first validation."""
        super().on_train_end(trainer, pl_module)
        if self.monitor is not None and not self.best_model_path and trainer.global_step > 0:
            trainer.save_checkpoint(Path(str(self.dirpath)) / f"{self.filename}.ckpt", weights_only=True)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep the best score so far, which Lightning discards if the directory has another name than before."""

        def here(path: str) -> str:
            return str(Path(str(self.dirpath)) / Path(path).name) if path else path

        paths = {key: here(state_dict[key]) for key in ("best_model_path", "kth_best_model_path", "last_model_path")}
        scores = {here(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict(state_dict | paths | {"dirpath": self.dirpath, "best_k_models": scores})


class LastCheckpoint(FixedNameCheckpoint):
    """`last.ckpt` at the end of an epoch: the last epoch, one with a signal to stop, or if the previous file is old.

    Args:
        folder: the directory.
        interruptible: of the same trainer; it writes the same file within epochs.
    """

    def __init__(self, folder: Path, interruptible: "Interruptible") -> None:
        super().__init__(folder, "last", [])
        self._interruptible = interruptible

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self._interruptible.is_due_at_epoch_end(trainer):
            super().on_train_epoch_end(trainer, pl_module)
            self._interruptible.count_saved(trainer)


def _is_last_epoch(trainer: lightning.Trainer) -> bool:
    """Whether the training ends with the current epoch; to be called at its end."""
    is_last = trainer.max_epochs is not None and 0 <= trainer.max_epochs <= trainer.current_epoch + 1
    return is_last or trainer.should_stop or 0 <= trainer.max_steps <= trainer.global_step


class Interruptible(lightning.Callback):
    """Saves a checkpoint within an epoch, at regular intervals and when a signal asks the job to stop; then it stops.

    At the end of an epoch `LastCheckpoint` saves, if the previous checkpoint is older than a minute, or than `minutes`
    if that is shorter.

    A job that resumes from such a checkpoint ends with the same weights as one that was never stopped: the order of the
    images and all random numbers follow from seed, epoch and step. With data that worker processes load, a job cannot
    resume in the middle of an epoch: it stops without a checkpoint, and resumes after the last epoch that was saved.

    Args:
        path: of the checkpoint.
        minutes: of training between two checkpoints, those at the ends of epochs included; None: within epochs only on
            a signal.
    """

    def __init__(self, path: Path, minutes: float | None) -> None:
        self._path = path
        self._minutes = minutes
        self._saved_at = 0.0  # time of the last checkpoint
        self._saved_step: int | None = None  # step of the last checkpoint in this attempt
        self._loader: BatchLoader | None = None
        self._world_size = 1
        self._resumed: dict[str, Any] = {}

    def state_dict(self) -> dict[str, Any]:
        loader = self._loader.state_dict() if self._loader is not None else None
        return {"loader": loader, "world_size": self._world_size}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._resumed = state_dict

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Restore the position in the epoch; Lightning does so too, unless a schedule has asked for its steps before.

        Raises:
            InputError: the job was started on another number of devices.
        """
        self._world_size = trainer.world_size
        num_devices = self._resumed.get("world_size", trainer.world_size)
        if num_devices != trainer.world_size:
            raise InputError(
                f"this job was started on {num_devices} devices in total, on which its steps and schedule depend, and "
                f"there are {trainer.world_size} now; run it on {num_devices} devices, or restart it with resume=false"
            )
        loader = trainer.train_dataloader
        self._loader = loader if isinstance(loader, BatchLoader) else None
        if self._loader is not None and self._resumed.get("loader") is not None:
            self._loader.load_state_dict(self._resumed["loader"])
        self._saved_at = time.monotonic()
        stop_signals.install()  # replaces Lightning's handlers, which end a training without a checkpoint
        # Ctrl-C reaches all processes of a terminal, also those that load the data; then no further step is possible.
        stop_signals.defer(*(CLUSTER_STOPS if self._loader is None else STOPS))

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Stop if a signal came in the last validation; if the last step is not saved, only after the next one."""
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
        is_due = stop_signals.received is not None or self._is_due()
        if not self._agrees_now(trainer) or not self._is_true_anywhere(trainer, is_due):
            return
        should_stop = self._is_true_anywhere(trainer, stop_signals.received is not None)
        trainer.save_checkpoint(self._path)
        self.count_saved(trainer)
        if should_stop:
            self._stop()

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._stop_if_asked(trainer)
        stop_signals.defer()

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        stop_signals.defer()

    def is_due_at_epoch_end(self, trainer: lightning.Trainer) -> bool:
        """Whether to save at the end of this epoch; all processes of a job get the same answer."""
        seconds = _MIN_SECONDS if self._minutes is None else min(_MIN_SECONDS, 60 * self._minutes)
        is_old = time.monotonic() - self._saved_at >= seconds
        should_stop = stop_signals.received is not None
        return self._is_true_anywhere(trainer, _is_last_epoch(trainer) or is_old or should_stop)

    def count_saved(self, trainer: lightning.Trainer) -> None:
        """Remember the time and the step of a checkpoint that was just written."""
        self._saved_at = time.monotonic()
        self._saved_step = trainer.global_step

    def _is_due(self) -> bool:
        return self._minutes is not None and time.monotonic() - self._saved_at > 60 * self._minutes

    def _stop_if_asked(self, trainer: lightning.Trainer) -> None:
        if self._is_true_anywhere(trainer, stop_signals.received is not None):
            self._stop()

    def _stop(self) -> None:
        stop_signals.defer()
        raise Terminated(stop_signals.received or signal.SIGTERM)

    def _agrees_now(self, trainer: lightning.Trainer) -> bool:
        """Whether the processes agree on stopping at this step: a blocking all-reduce, so not at every step."""
        return trainer.world_size == 1 or trainer.global_step % _STEPS_PER_AGREEMENT == 0

    def _is_true_anywhere(self, trainer: lightning.Trainer, value: bool) -> bool:
        """Whether a value is true in any process: one that stopped alone would leave the others waiting for it."""
        return trainer.strategy.reduce_boolean_decision(value, all=False) if trainer.world_size > 1 else value
