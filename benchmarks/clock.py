"""A clock for the training steps of one fit, without the first ones."""

import time
from typing import Any

import lightning
import torch

WARM_STEPS = 3  # not timed: memory is allocated, kernels are chosen, queues fill


class StepClock(lightning.Callback):
    """Times the training steps of one fit after the first ones."""

    def __init__(self) -> None:
        self._start = self._end = 0.0
        self._steps = 0

    def on_train_batch_start(self, trainer: lightning.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx == WARM_STEPS:
            synchronize()
            self._start = time.perf_counter()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self._steps = batch_idx + 1 - WARM_STEPS
        if trainer.is_last_batch:
            synchronize()
            self._end = time.perf_counter()

    def images_per_second(self, batch_size: int) -> float:
        return self._steps * batch_size / (self._end - self._start)


def synchronize() -> None:
    """Wait for the GPU, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
