"""Images per second in `fit`: ours, the reference's, on one resident batch, and without Lightning."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import lightning
import torch
from torch.nn import functional

from agegender.data.datamodule import UTKFaceDataModule
from agegender.jobs import build
from agegender.labels import NUM_GROUPS
from agegender.models import measure
from agegender.training import trainers
from agegender.training.module import AgeGenderModule
from benchmarks.clock import StepClock, Stopwatch
from benchmarks.measure import Row, compare
from benchmarks.reference import Reference
from benchmarks.subject import Settings, faces, job


class Repeated:
    """A loader that repeats one batch."""

    def __init__(self, batch: dict[str, torch.Tensor], num_batches: int) -> None:
        self._batch = batch
        self._num_batches = num_batches

    def __len__(self) -> int:
        return self._num_batches

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        return itertools.repeat(self._batch, self._num_batches)


def build_job(config: dict[str, Any]) -> tuple[AgeGenderModule, UTKFaceDataModule]:
    """Build the module and the data of a job, ready for `fit`."""
    datamodule = build.make_datamodule(config)
    datamodule.setup()
    module = build.make_module(config)
    module.method.prepare(datamodule.train_age_counts(), torch.from_numpy(datamodule.groups.group_of_age))
    if config["model"].get("compile"):
        torch.compiler.reset()
        module.network.compile()
    return module, datamodule


def fit_ours(
    config: dict[str, Any],
    settings: Settings,
    *,
    resident: bool,
    callbacks: Sequence[lightning.Callback] = (),
    clock: StepClock | None = None,
) -> float:
    """Train some steps as a job does, on the data or on one resident batch, and return the images per second."""
    module, datamodule = build_job(config)
    clock = clock or StepClock(settings.warm_steps)
    callbacks = [clock, *callbacks]
    trainer = trainers.make_trainer(config["trainer"], folder=settings.folder, callbacks=callbacks, logger=False)
    if resident:
        trainer.fit(module, train_dataloaders=Repeated(_first_batch(datamodule, trainer), settings.total_steps))
    else:
        trainer.fit(module, datamodule=datamodule)
    return clock.images_per_second(settings.batch_size)


def _first_batch(datamodule: UTKFaceDataModule, trainer: lightning.Trainer) -> dict[str, torch.Tensor]:
    batch = next(iter(datamodule.train_dataloader()))
    return {key: value.to(trainer.strategy.root_device) for key, value in batch.items()}


def make_step(config: dict[str, Any], settings: Settings) -> tuple[Callable[[], None], int]:
    """Make a training step on one batch, as a job computes it: only forward, loss, backward and optimizer.

    Returns:
        The step, and the network's number of parameters.
    """
    module, datamodule = build_job(config)
    trainer = trainers.make_trainer(config["trainer"], folder=settings.folder, callbacks=[], logger=False)
    batch = _first_batch(datamodule, trainer)
    module = module.to(trainer.strategy.root_device).train()
    optimizer = module.make_optimizer()

    def step() -> None:
        with trainer.precision_plugin.forward_context():
            outputs = module(batch["images"])
            loss = module.method(outputs.age, batch["group"], batch["years"])
            loss = loss + functional.cross_entropy(outputs.gender, batch["gender"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step, measure.num_params(module.network)


def steps_per_second(step: Callable[[], None], num_steps: int) -> float:
    """Run some steps and return their rate."""
    watch = Stopwatch("cuda" if torch.cuda.is_initialized() else "cpu")
    watch.start()
    for _ in range(num_steps):
        step()
    watch.stop()
    return num_steps / watch.seconds


def bare_loop(config: dict[str, Any], settings: Settings) -> float:
    """Train the same steps as `fit` on one resident batch, without Lightning, and return the images per second."""
    step, _ = make_step(config, settings)
    for _ in range(settings.warm_steps):
        step()
    return settings.batch_size * steps_per_second(step, settings.steps)


def against_reference(settings: Settings, model: str) -> list[Row]:
    """Compare `fit` of one network with the reference.

    The GFLOP/s count 3 x 2 x the multiply-accumulates of a forward pass, as the backward pass costs twice as much.
    """
    root = faces(settings, settings.num_images)
    config = job(settings, model, root)
    reference = Reference(config, settings)
    rows = compare(
        f"fit, {model}, {settings.image_size} px, batch {settings.batch_size}",
        {
            "reference": reference.fit,
            "ours": partial(fit_ours, config, settings, resident=False),
        },
        unit="images/s",
        base="reference",
        repeats=settings.repeats,
        notes={"reference": f"float32, NCHW; {reference.num_workers} workers are its fastest"},
    )
    gflop = 6 * measure.gmacs(build.network_builder(config, NUM_GROUPS), settings.image_size)
    return [replace(row, note=f"{row.note} {gflop * row.median:,.0f} GFLOP/s".strip()) for row in rows]


def against_resident(settings: Settings, model: str) -> list[Row]:
    """Compare an epoch on the data with the same steps on one resident batch."""
    config = job(settings, model, faces(settings, settings.num_images))
    return compare(
        f"epoch, {model}, {settings.image_size} px",
        {
            "one resident batch": partial(fit_ours, config, settings, resident=True),
            "the data": partial(fit_ours, config, settings, resident=False),
        },
        unit="images/s",
        base="one resident batch",
        repeats=settings.repeats,
    )


def against_bare_loop(settings: Settings, model: str) -> list[Row]:
    """Compare Lightning's `fit` with a loop of the same steps, on one resident batch."""
    config = job(settings, model, faces(settings, settings.num_images))
    return compare(
        f"Lightning, {model}, {settings.image_size} px",
        {
            "bare loop": partial(bare_loop, config, settings),
            "fit": partial(fit_ours, config, settings, resident=True),
        },
        unit="images/s",
        base="bare loop",
        repeats=settings.repeats,
    )
