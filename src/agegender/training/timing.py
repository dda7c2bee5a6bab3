"""The cost of a job: seconds, images per second and peak memory."""

import resource
import time
from pathlib import Path
from typing import Any

import lightning
import torch

_CLEAR_REFS = Path("/proc/self/clear_refs")  # Linux: writing 5 resets the peak of the resident set


class FitTimer(lightning.Callback):
    """Times the training of one job; the sums are stored in its checkpoints, so a resumed job counts all attempts.

    Args:
        jobs_per_gpu: jobs that share the GPU in this attempt.

    Attributes:
        jobs_per_gpu: most jobs that shared the GPU in any attempt; above 1 the times are not comparable.
        fit_seconds: wall time of fit, validation and checkpoints included.
        train_seconds: wall time of the training batches alone.
        num_images: images that went through a training step, all devices together.
    """

    def __init__(self, jobs_per_gpu: int = 1) -> None:
        self.jobs_per_gpu = jobs_per_gpu
        self.fit_seconds = 0.0
        self.train_seconds = 0.0
        self.num_images = 0
        self._fit_mark = 0.0
        self._train_mark: float | None = None  # None while no batches are trained
        self._num_images_before = 0  # this epoch, or the part of it since it was resumed
        self._seconds_before = 0.0

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._fit_mark = time.perf_counter()

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._train_mark = time.perf_counter()
        self._start_epoch()

    def _start_epoch(self) -> None:
        self._num_images_before = self.num_images
        self._seconds_before = self.train_seconds

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if self._train_mark is None:  # a resumed epoch has no start event
            self._train_mark = time.perf_counter()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.num_images += len(batch["group"]) * trainer.world_size
        if trainer.is_last_batch:
            self._pause(pl_module)

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._pause(pl_module)  # a validation may also take place in the middle of an epoch

    def _pause(self, pl_module: lightning.LightningModule) -> None:
        if self._train_mark is not None and pl_module.device.type == "cuda":
            torch.cuda.synchronize()
        self._count_train()
        self._train_mark = None

    def on_fit_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._count_fit()

    def _count_fit(self) -> None:
        now = time.perf_counter()
        self.fit_seconds += now - self._fit_mark
        self._fit_mark = now

    def _count_train(self) -> None:
        now = time.perf_counter()
        if self._train_mark is not None:
            self.train_seconds += now - self._train_mark
            self._train_mark = now

    @property
    def images_per_second(self) -> float:
        return self.num_images / self.train_seconds if self.train_seconds > 0 else 0.0

    @property
    def epoch_images_per_second(self) -> float:
        """Rate of the current epoch, or of the last one; in a resumed epoch, since the resume."""
        num_images = self.num_images - self._num_images_before
        seconds = self.train_seconds - self._seconds_before
        return num_images / seconds if seconds > 0 else 0.0

    def state_dict(self) -> dict[str, Any]:
        self._count_fit()
        self._count_train()  # a checkpoint within an epoch
        keys = ("fit_seconds", "train_seconds", "num_images", "jobs_per_gpu")
        return {key: getattr(self, key) for key in keys}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.fit_seconds = state_dict["fit_seconds"]
        self.train_seconds = state_dict["train_seconds"]
        self.num_images = state_dict["num_images"]
        self.jobs_per_gpu = max(
            self.jobs_per_gpu, state_dict.get("jobs_per_gpu", 1)
        )  # earlier versions had no such key
        self._start_epoch()


def reset_peak_memory(*, on_gpu: bool) -> None:
    """Reset the peak, so that one job's peak does not count for the next job of the same process.

    Args:
        on_gpu: whether the job uses a GPU; otherwise CUDA is not touched, as the machine may have no driver for it.
    """
    if on_gpu and torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    if _CLEAR_REFS.exists():
        _CLEAR_REFS.write_text("5")


def peak_memory_bytes(device: str) -> int:
    """Return the peak since the last reset: memory allocated on the GPU for `cuda`, else the resident set size."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
