"""What a training step costs beyond its kernels: Lightning's loop, the seed of each step, callbacks, progress bar.

Measured with a network of 1,700 parameters and one image of 8 pixels, whose kernels cost next to nothing, on the CPU:
the program's own work is the same for a network of any size. On a GPU it is hidden where a step's kernels take longer.
The time is that of the program's thread alone, with one thread for kernels, so that other work on the machine counts
less.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import lightning
import rich
import torch

from agegender.data.dataset import Batch
from agegender.jobs.callbacks import make_callbacks
from agegender.jobs.config import parse
from agegender.records.job_folder import JobFolder
from agegender.training import module as module_file
from agegender.training import timing, trainers
from agegender.training.checkpoints import FixedNameCheckpoint
from agegender.training.epoch_log import EpochLog
from agegender.training.history import History
from agegender.training.module import AgeGenderModule
from benchmarks.clock import WARM_STEPS
from benchmarks.fit import Repeated, build_job
from benchmarks.measure import Row, compare
from benchmarks.subject import Settings, faces, job

_NETWORK = ("model.channels=[4,8]", "model.blocks=[0,1]", "data.image_size=8", "data.batch_size=1")
_NUM_STEPS = 300  # timed; at least, as each takes about a millisecond


class _StepTimes(lightning.Callback):
    """Times the steps of an epoch after the first ones: this thread's own time, whatever else the machine does."""

    def __init__(self) -> None:
        self._start = self._end = 0.0
        self._steps = 0

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx == 10 * WARM_STEPS:
            self._start = time.thread_time()
        self._end = time.thread_time()  # of the step before
        self._steps = batch_idx - 10 * WARM_STEPS

    @property
    def microseconds(self) -> float:
        return 1e6 * (self._end - self._start) / self._steps


def per_step(settings: Settings) -> list[Row]:
    """Measure the microseconds of a step: the bare loop's, and with one part of a job added after the other."""
    num_steps = max(settings.steps, _NUM_STEPS) + 10 * WARM_STEPS
    limits = (*_NETWORK, "trainer=cpu", "trainer.precision=32-true", f"trainer.limit_train_batches={num_steps}")
    config = job(settings.at(8), "compact_small", faces(settings.at(8), 40), *limits)
    fit = partial(_fit, config, settings, num_steps)
    variants: dict[str, Callable[[], float]] = {
        "forward, loss, backward and optimizer alone": partial(_bare, config, num_steps),
        "+ Lightning's loop, with the seed of each step": partial(fit, parts=()),
        "+ a job's callbacks": partial(fit, parts=("callbacks",)),
        "+ the progress bar": partial(fit, parts=("callbacks", "bar")),
        "the same, drawn at every step": partial(fit, parts=("callbacks", "bar at every step")),
        "the same, seeded by torch.manual_seed": partial(fit, parts=("callbacks", "bar", "torch.manual_seed")),
        "the same, keys of checkpoints written anew": partial(fit, parts=("callbacks", "bar", "state keys")),
    }
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return compare("a training step", variants, unit="µs", base=next(iter(variants)), repeats=settings.repeats)
    finally:
        torch.set_num_threads(num_threads)


def _prepared(config: dict[str, Any]) -> tuple[AgeGenderModule, Batch]:
    module, datamodule = build_job(config)
    return module.train(), next(iter(datamodule.train_dataloader()))


def _bare(config: dict[str, Any], num_steps: int) -> float:
    module, batch = _prepared(config)
    module.log_dict = lambda *_, **__: None  # pyright: ignore[reportAttributeAccessIssue]
    optimizer = module.make_optimizer()

    def run(steps: int) -> float:
        start = time.thread_time()
        for _ in range(steps):
            optimizer.zero_grad()
            module.training_step(batch).backward()
            optimizer.step()
        return time.thread_time() - start

    run(10 * WARM_STEPS)
    return 1e6 * run(num_steps) / num_steps


def _fit(config: dict[str, Any], settings: Settings, num_steps: int, *, parts: tuple[str, ...]) -> float:
    module, batch = _prepared(config)
    times = _StepTimes()
    callbacks: list[lightning.Callback] = [times]
    options = {key: value for key, value in config["trainer"].items() if key != "enable_checkpointing"}
    if "callbacks" in parts:
        timer = timing.FitTimer()
        callbacks += [timer, History([]), EpochLog(timer, lambda: None)]
        callbacks += make_callbacks(parse({**config, "trainer": options}), JobFolder(settings.folder / "job"))
    with _bar(parts) as has_bar, _as_before(parts):
        options["enable_progress_bar"] = has_bar
        options["enable_checkpointing"] = "callbacks" in parts
        trainer = trainers.make_trainer(options, folder=settings.folder, callbacks=callbacks, logger=False)
        trainer.fit(module, train_dataloaders=Repeated(batch, num_steps))
    return times.microseconds


@contextmanager
def _bar(parts: tuple[str, ...]) -> Iterator[bool]:
    """Let a job's progress bar be drawn as on a terminal, but to nowhere; whether there is to be one."""
    with Path(os.devnull).open("w") as nowhere:
        console = {"file": nowhere, "force_terminal": True, "width": 120}
        rate = {"refresh_rate": 1} if "bar at every step" in parts else {}
        own = trainers.RichProgressBar
        trainers.RichProgressBar = lambda **options: own(**{**options, **rate}, console_kwargs=console)
        try:
            yield "bar" in parts or "bar at every step" in parts
        finally:
            trainers.RichProgressBar = own
            rich.reconfigure()  # Lightning has given the options to Rich's own console


@contextmanager
def _as_before(parts: tuple[str, ...]) -> Iterator[None]:
    """Put back what an earlier version did."""
    own = module_file._seed_generators
    own_key = FixedNameCheckpoint.__dict__["state_key"]
    if "torch.manual_seed" in parts:
        module_file._seed_generators = lambda seed, device: torch.manual_seed(seed)
    if "state keys" in parts:
        FixedNameCheckpoint.state_key = property(own_key.func)  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield
    finally:
        module_file._seed_generators = own
        FixedNameCheckpoint.state_key = own_key
