"""Checks of a GPU, as functions of the device: on the CPU they show that they find the faults that they look for."""

import os
import signal
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
import torch
from composing import composed
from making import make_table
from tiny_training import Trains
from torch import Tensor
from torch.utils.data import SequentialSampler

from agegender.data.dataset import Batch, FaceDataset, copy_to
from agegender.data.loading import BatchLoader
from agegender.jobs import build, callbacks
from agegender.labels import age_groups
from agegender.training import timing, trainers
from agegender.training.module import AgeGenderModule

GROUP_OF_AGE = torch.from_numpy(age_groups("closed").group_of_age)


def make_module(*overrides: str, image_size: int = 64) -> tuple[AgeGenderModule, dict[str, Any]]:
    """Make a module that is ready to train, on the CPU, from the seed of its configuration."""
    config = composed(*overrides, f"data.image_size={image_size}", "logger=none", "trainer.enable_progress_bar=false")
    module = build.make_module(config)
    module.method.prepare(torch.arange(121), GROUP_OF_AGE)
    return module, config


def noise_batch(num_images: int, image_size: int, device: torch.device) -> dict[str, Tensor]:
    """Draw images and labels on the CPU, the same for all devices."""
    random = torch.Generator().manual_seed(0)
    years = torch.randint(0, 100, (num_images,), generator=random)
    years = torch.where(GROUP_OF_AGE[years] < 0, 30, years)  # the closed groups leave ages out
    images = torch.randint(0, 256, (num_images, image_size, image_size, 3), dtype=torch.uint8, generator=random)
    batch = {
        "images": images.permute(0, 3, 1, 2),
        "years": years,
        "group": GROUP_OF_AGE[years],
        "gender": torch.arange(num_images) % 2,
        "row": torch.arange(num_images),
    }
    return {key: value.to(device) for key, value in batch.items()}


class Repeated:
    """A loader that repeats one batch."""

    def __init__(self, batch: dict[str, Tensor], num_batches: int) -> None:
        self._batch = batch
        self._num_batches = num_batches

    def __len__(self) -> int:
        return self._num_batches

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        for _ in range(self._num_batches):
            yield self._batch


def fit(
    module: AgeGenderModule, config: dict[str, Any], batches: Any, folder: Path, *callbacks: lightning.Callback
) -> lightning.Trainer:
    """Train without validation, as a job does, on these batches."""
    trainers.quiet_libraries()
    warnings.filterwarnings("ignore", message=".*You defined a .validation_step. but have no.*")
    settings = {**config["trainer"], "limit_val_batches": 0, "enable_checkpointing": False}
    trainer = trainers.make_trainer(settings, folder=folder, callbacks=list(callbacks), logger=False)
    trainer.fit(module, train_dataloaders=batches)
    return trainer


# Streamed batches


def checksums(loader: BatchLoader, device: torch.device, *, delay: int = 0) -> Tensor:
    """Add up each batch's pixels, weighted by their place, on its device.

    Args:
        loader: of the batches.
        device: of the batches.
        delay: cycles of the GPU before each use; the program does not wait for them.
    """
    sums = []
    for batch in loader:
        if delay:
            torch.cuda._sleep(delay)
        pixels = batch["images"].permute(0, 2, 3, 1).flatten(1).to(torch.int64)  # (B, H x W x 3)
        place = torch.arange(1, pixels.shape[1] + 1, device=device) % 1009
        sums.append((pixels * place).sum(dim=1) + batch["row"])
    return torch.cat(sums).cpu()


class SlowCopies(FaceDataset):
    """A data set whose copies to the GPU begin late: the copying stream sleeps before each."""

    delay = 0  # cycles
    loader: BatchLoader | None = None

    def gather(self, index: Tensor, *, pin: bool = False) -> Batch:
        if self.delay and self.loader is not None:
            with torch.cuda.stream(self.loader._stream):
                torch.cuda._sleep(self.delay)
        return super().gather(index, pin=pin)


def face_loader(
    num_images: int, image_size: int, device: torch.device, *, resident: bool, copy_delay: int = 0
) -> BatchLoader:
    """Return batches of 32 images of noise, streamed to the device or gathered on it."""
    shape = (num_images, image_size, image_size, 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    table = make_table(ages=[number % 100 for number in range(num_images)], genders=[0, 1] * (num_images // 2))
    rows = np.random.default_rng(1).permutation(num_images)
    stored = copy_to(pixels, device) if resident else pixels
    dataset = SlowCopies(stored, table, np.arange(121) // 10, rows)
    loader = BatchLoader(dataset, sampler=SequentialSampler(dataset), batch_size=32, device=device)
    dataset.delay = copy_delay
    dataset.loader = loader
    return loader


# Numbers


def gradients(module: AgeGenderModule, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the loss's gradients, float64 on the CPU, by the parameters' names."""
    module.zero_grad()
    module.train()
    module.training_step(batch).backward()
    found = {name: value.grad for name, value in module.named_parameters() if value.grad is not None}
    return {name: value.detach().double().cpu() for name, value in found.items()}


def relative_difference(found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """Return the norm of the difference of all gradients, divided by the norm of the expected ones."""
    assert found.keys() == expected.keys()
    difference = sum(float(((found[key] - expected[key]) ** 2).sum()) for key in expected)
    norm = sum(float((value**2).sum()) for value in expected.values())
    return (difference / norm) ** 0.5


@contextmanager
def exact_float32() -> Iterator[None]:
    """Let the GPU compute convolutions and products in float32, not in TensorFloat-32."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


# Time


class EpochClock(lightning.Callback):
    """Measures each epoch's training steps by events of the GPU, or on the CPU by the wall clock: milliseconds."""

    def __init__(self) -> None:
        self.milliseconds = 0.0
        self._start: Any = None

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self._start = self._mark(pl_module.device)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if not trainer.is_last_batch:
            return
        end = self._mark(pl_module.device)
        if pl_module.device.type == "cuda":
            end.synchronize()
            self.milliseconds += self._start.elapsed_time(end)
        else:
            self.milliseconds += 1000 * (end - self._start)

    def _mark(self, device: torch.device) -> Any:
        if device.type != "cuda":
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event


def rate_ratio(folder: Path, num_steps: int, *overrides: str) -> float:
    """Return the recorded images per second divided by those of the clock."""
    module, config = make_module("model=resnet18", "trainer.max_epochs=2", *overrides, image_size=64)
    timer = timing.FitTimer()
    clock = EpochClock()
    device = torch.device("cpu" if config["trainer"]["accelerator"] == "cpu" else "cuda")
    fit(module, config, Repeated(noise_batch(8, 64, device), num_steps), folder, timer, clock)
    return timer.images_per_second / (2 * num_steps * 8 / (clock.milliseconds / 1000))


# Weights


class StopsInEpoch(lightning.Callback):
    """Sends this process SIGTERM in the middle of the second epoch."""

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if trainer.current_epoch == 1 and batch_idx == 2:
            os.kill(os.getpid(), signal.SIGTERM)


def differences_after_a_stop(trains: Trains, folder: Path, *overrides: str) -> list[str]:
    """Train once without and once with a stop within an epoch, and return which weights differ."""
    settings = ("data.batch_size=8", "trainer.max_epochs=3", "augment=standard", *overrides)
    assert trains(folder / "whole", *settings)[0] == "complete"
    make_average = callbacks.averaging
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(callbacks, "averaging", lambda config: [*make_average(config), StopsInEpoch()])
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            trains(folder / "stopped", *settings)
    status, record = trains(folder / "stopped", *settings)
    assert status == "complete" and record is not None and record.time["resumed"]
    found = []
    for name in ("last", "best"):
        one, other = (weights_of(folder / job / "job/checkpoints" / f"{name}.ckpt") for job in ("whole", "stopped"))
        found += [f"{name}: {key}" for key in different(one, other)]
    return found


def weights_of(checkpoint: Path) -> dict[str, Tensor]:
    return torch.load(checkpoint, weights_only=True, map_location="cpu")["state_dict"]


def different(one: dict[str, Tensor], other: dict[str, Tensor]) -> list[str]:
    """Return the names of the tensors that are not equal, bit for bit."""
    assert one.keys() == other.keys()
    return [key for key, value in one.items() if not torch.equal(value, other[key])]
