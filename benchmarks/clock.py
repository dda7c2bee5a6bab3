"""Clocks for training steps: for any of them, and for those of one fit without the first ones."""

import time
from collections.abc import Callable
from typing import Any

import lightning
import torch

WARM_STEPS = 3  # not timed: memory is allocated, kernels are chosen, queues fill


class Stopwatch:
    """The seconds between two points of a device's work: CUDA's own events on a GPU, else the process's clock.

    Args:
        device: `cuda` or any other type.
    """

    def __init__(self, device: str) -> None:
        self._on_gpu = device == "cuda"
        self._start: Any = None
        self._end: Any = None

    def start(self) -> None:
        """Start as soon as all earlier work is done."""
        synchronize()
        self._start = self._now()

    def stop(self) -> None:
        """Stop at the end of all work so far, and wait for it."""
        self._end = self._now()
        synchronize()

    def _now(self) -> Any:
        if not self._on_gpu:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    @property
    def seconds(self) -> float:
        return self._start.elapsed_time(self._end) / 1000 if self._on_gpu else self._end - self._start


class StepClock(lightning.Callback):
    """Times the training steps of one fit after the first ones.

    Args:
        warm_steps: the first ones.
        before: is called when they are done, such as to wait for other processes.
    """

    def __init__(self, warm_steps: int = WARM_STEPS, before: Callable[[], None] | None = None) -> None:
        self._warm_steps = warm_steps
        self._before = before
        self._watch = Stopwatch("cpu")
        self._steps = 0

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if batch_idx == self._warm_steps:
            synchronize()
            if self._before is not None:
                self._before()
            self._watch = Stopwatch(pl_module.device.type)
            self._watch.start()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self._steps = batch_idx + 1 - self._warm_steps
        if trainer.is_last_batch:
            self._watch.stop()

    @property
    def seconds(self) -> float:
        """Time of all timed steps."""
        return self._watch.seconds

    def images_per_second(self, batch_size: int) -> float:
        return self._steps * batch_size / self.seconds


def synchronize() -> None:
    """Wait for the GPU, if this process uses one."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
