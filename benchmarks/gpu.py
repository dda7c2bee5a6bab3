"""A GPU's training rates: `fit` beside a bare loop and the reference, its kernels, its checkpoint, jobs that share it.

With `--device cpu` all of it runs without a GPU, to try it: operators then stand for kernels.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import lightning
import torch

from agegender.system.cores import available_cores
from agegender.training.precision import uses_gpu
from benchmarks.clock import synchronize
from benchmarks.fit import bare_loop, fit_ours, make_step
from benchmarks.fit_process import fit_apart
from benchmarks.measure import Row, compare
from benchmarks.reference import Reference
from benchmarks.subject import Settings, faces, job
from benchmarks.trace import FitTrace, Trace, Work

MAX_JOBS_PER_GPU = 4
_MAX_WORKERS = 16  # of the reference's loader
_WARM_STEPS = 10  # autotuner, compilation, and the clock rate of a GPU that was idle
_TRACED_STEPS = 10


class _SaveTimer(lightning.Callback):
    """Times writing `last.ckpt`, as a job does at the end of an epoch."""

    def __init__(self, settings: Settings) -> None:
        self._path = settings.folder / "last.ckpt"
        self.seconds = 0.0
        self.megabytes = 0.0

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        synchronize()
        start = time.perf_counter()
        trainer.save_checkpoint(self._path)
        self.seconds = time.perf_counter() - start
        self.megabytes = self._path.stat().st_size / 1e6
        self._path.unlink()


def rates(settings: Settings, model: str) -> list[Row]:
    """Compare `fit` of one network with a bare loop of the same steps and with the reference, and show where time goes.

    Rates are of the steps after the first ones, by CUDA's events. The reference has its workers, one per core, untuned.
    """
    settings = _warm(settings)
    config = job(settings, model, faces(settings, settings.num_images))
    on_gpu = uses_gpu(config["trainer"]["accelerator"])
    compiled = job(settings, model, faces(settings, settings.num_images), "model.compile=true")
    workers = min(len(available_cores()), _MAX_WORKERS) if on_gpu else 0
    reference = Reference(config, settings, workers)
    save = _SaveTimer(settings)
    variants: dict[str, Callable[[], float]] = {
        "bare loop": partial(bare_loop, config, settings),
        "fit": partial(fit_ours, config, settings, resident=False, callbacks=[save]),
        "reference": reference.fit,
        # cuDNN keeps the algorithms of a process, so the autotuner must be off from its start.
        "fit, no autotuner": partial(fit_apart, settings, model, ["+trainer.benchmark=false"]),
    }
    if settings.compiled:
        variants["bare loop, compiled"] = partial(bare_loop, compiled, settings)
        variants["fit, compiled"] = partial(fit_ours, compiled, settings, resident=False)
    title = f"{model}, {settings.image_size} px, batch {settings.batch_size}"
    rows = compare(
        f"rate, {title}",
        variants,
        unit="images/s",
        base="bare loop",
        repeats=settings.repeats,
        warmup=0,  # each one has its own
        notes={"bare loop": "one resident batch", "reference": f"float32, NCHW; {workers} workers"},
    )
    milliseconds = {row.variant: 1000 * settings.batch_size / row.median for row in rows}
    traced = {"bare loop": _trace_loop(config, settings, on_gpu), "fit": _trace_fit(config, settings, on_gpu)}
    rows += _work_rows(f"work of a step, {title}", traced, milliseconds, on_gpu=on_gpu)
    note = f"{save.megabytes:,.0f} MB"
    return [*rows, Row(f"last.ckpt, {title}", "write", "s", [save.seconds], note=note)]


def _warm(settings: Settings) -> Settings:
    """Return the settings with more steps before the timed ones where a GPU has that many in a moment."""
    on_gpu = settings.device == "gpu" or (settings.device == "auto" and torch.cuda.is_available())
    return replace(settings, warm_steps=_WARM_STEPS) if on_gpu else settings


def _trace_loop(config: dict[str, Any], settings: Settings, on_gpu: bool) -> Work:
    step, _ = make_step(config, settings)
    for _ in range(settings.warm_steps):
        step()
    trace = Trace(settings.folder / "trace.json", on_gpu=on_gpu)
    num_steps = min(_TRACED_STEPS, settings.steps)
    trace.start()
    for _ in range(num_steps):
        step()
    return trace.stop(num_steps)


def _trace_fit(config: dict[str, Any], settings: Settings, on_gpu: bool) -> Work:
    num_steps = min(_TRACED_STEPS, settings.steps - 1)  # the trace ends where another step starts
    trace = Trace(settings.folder / "trace.json", on_gpu=on_gpu)
    callback = FitTrace(trace, settings.warm_steps, num_steps)
    fit_ours(config, settings, resident=False, callbacks=[callback])
    assert callback.work is not None
    return callback.work


def _work_rows(title: str, traced: dict[str, Work], milliseconds: dict[str, float], *, on_gpu: bool) -> list[Row]:
    """Show the work of a step; its share of the step's time without the profiler, which slows down all but kernels."""
    what = "kernels" if on_gpu else "operators of the CPU"
    rows = []
    for name, work in traced.items():
        share = 100 * work.busy_ms / milliseconds[name]
        step = f"of {milliseconds[name]:.2f} ms a step"
        none = "the profiler saw none: it may not be allowed to" if on_gpu and not work.num_kernels else ""
        rows.append(Row(title, f"{name}: {what}", "per step", [work.num_kernels], note=none))
        rows.append(Row(title, f"{name}: they run", "ms", [work.busy_ms], note=step))
        rows.append(Row(title, f"{name}: busy share", "%", [share], note="of the time without the profiler"))
    return rows


def jobs_per_gpu(settings: Settings) -> list[Row]:
    """Compare the rates of 1 to 4 jobs of the first network that share the GPU, all jobs of a row together."""
    settings = _warm(settings)
    model = settings.models[0]
    variants = {
        f"{number} job{'s' if number > 1 else ''}": partial(fit_apart, settings, model, num_jobs=number)
        for number in range(1, MAX_JOBS_PER_GPU + 1)
    }
    return compare(
        f"jobs that share the device, {model}, {settings.image_size} px, batch {settings.batch_size}",
        variants,
        unit="images/s",
        base="1 job",
        repeats=settings.repeats,
        warmup=0,
        notes={name: "all jobs together, from the common start to the end of the last one" for name in variants},
    )
