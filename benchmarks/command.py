"""Measure data loading, training step, epoch, start-up and inference."""

import argparse
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from agegender.system.errors import InputError
from agegender.training import trainers
from benchmarks import (
    BENCHMARKS,
    DEFAULT,
    cost,
    data,
    fit,
    gpu,
    inference,
    job_memory,
    overhead,
    present,
    startup,
    step,
)
from benchmarks.accuracy import agreement
from benchmarks.measure import Row
from benchmarks.subject import Settings

_CACHE_IMAGES = 6_000
_GROWTH_IMAGES = 6_000
_SMALL_SIZE = 64  # pixels, at which a step is so short that Lightning's overhead shows
_SEEDS = (0, 1, 2)
_STEPS = 8
_STEPS_ON_GPU = 200  # eight would be over in 16 ms


def _data(settings: Settings) -> list[Row]:
    return data.cache_build(settings, _CACHE_IMAGES)


def _growth(settings: Settings) -> list[Row]:
    return data.growth(settings, _GROWTH_IMAGES)


def _memory(settings: Settings) -> list[Row]:
    return job_memory.peak_memory(settings, _GROWTH_IMAGES)


def _step(settings: Settings) -> list[Row]:
    rows = [row for model in settings.models for row in step.parts(settings, model, compiled=settings.compiled)]
    return step.peak(settings) + rows


def _fit(settings: Settings) -> list[Row]:
    return [row for model in settings.models for row in fit.against_reference(settings, model)]


def _cost(settings: Settings) -> list[Row]:
    return cost.side_by_side(settings)


def _epoch(settings: Settings) -> list[Row]:
    return fit.against_resident(settings, settings.models[0])


def _lightning(settings: Settings) -> list[Row]:
    return fit.against_bare_loop(settings.at(_SMALL_SIZE), "resnet18")


def _overhead(settings: Settings) -> list[Row]:
    return overhead.per_step(settings)


def _startup(settings: Settings) -> list[Row]:
    return startup.commands(settings) + startup.complete_sweep(settings)


def _inference(settings: Settings) -> list[Row]:
    models = settings.models
    return [row for model in models for row in inference.inference(settings, model, compiled=settings.compiled)]


def _gpu(settings: Settings) -> list[Row]:
    return [row for model in settings.models for row in gpu.rates(settings, model)]


def _gpu_jobs(settings: Settings) -> list[Row]:
    return gpu.jobs_per_gpu(settings)


def _accuracy(settings: Settings) -> list[Row]:
    return agreement(settings, settings.models[0], num_images=4_000, max_epochs=5, seeds=_SEEDS)


_FUNCTIONS: dict[str, Callable[[Settings], list[Row]]] = {
    "data": _data,
    "growth": _growth,
    "memory": _memory,
    "step": _step,
    "fit": _fit,
    "cost": _cost,
    "epoch": _epoch,
    "lightning": _lightning,
    "overhead": _overhead,
    "startup": _startup,
    "inference": _inference,
    "gpu": _gpu,
    "gpu_jobs": _gpu_jobs,
    "accuracy": _accuracy,
}
assert _FUNCTIONS.keys() == BENCHMARKS.keys()


def main(arguments: list[str]) -> int:
    """Run the benchmarks that the arguments of `agegender bench` name.

    Raises:
        InputError: there is no such benchmark, or a number is below 1.
    """
    options = _parser().parse_args(arguments)
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        raise InputError(f"no benchmark {unknown[0]}; choose from {', '.join(BENCHMARKS)}")
    if options.steps is None:
        options.steps = _STEPS_ON_GPU if torch.cuda.is_available() else _STEPS
    if min(options.image_size, options.batch_size, options.steps, options.repeats) < 1:
        raise InputError("--image-size, --batch-size, --steps and --repeats must be 1 or more")
    keys = ("root", "image_size", "batch_size", "steps", "repeats", "compiled", "device")
    settings = {key: getattr(options, key) for key in keys} | {"models": tuple(options.models)}
    written = run(tuple(options.names) or DEFAULT, settings, options.out, options.work)
    print(f"Saved: {', '.join(map(str, written))}")
    return 0


def _parser() -> argparse.ArgumentParser:
    explanations = "; ".join(f"{name}: {explanation}" for name, explanation in BENCHMARKS.items())
    parser = argparse.ArgumentParser(prog="agegender bench", description=__doc__, epilog=explanations)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: {' '.join(DEFAULT)}")
    parser.add_argument("--root", type=Path, metavar="DIR_OR_ARCHIVE", help="UTKFace; without it synthetic faces")
    parser.add_argument("--models", nargs="+", default=["small_cnn", "resnet18"], metavar="MODEL")
    parser.add_argument("--image-size", type=int, default=256, help="pixels of a side (default: %(default)s)")
    parser.add_argument("--batch-size", type=int, default=32, help="images per step (default: %(default)s)")
    parser.add_argument(
        "--steps", type=int, help=f"timed steps per repeat (default: {_STEPS}, and {_STEPS_ON_GPU} on a GPU)"
    )
    parser.add_argument("--repeats", type=int, default=5, help="rounds after the warm-up (default: %(default)s)")
    parser.add_argument("--compiled", action="store_true", help="torch.compile too: a minute more for each network")
    parser.add_argument(
        "--device", choices=("auto", "gpu", "cpu"), default="auto", help="default: a GPU if there is one"
    )
    parser.add_argument("--work", type=Path, metavar="DIR", help="keep the sample of the images here for further calls")
    parser.add_argument("--out", type=Path, default=Path("bench"), help="directory of the JSON files (default: bench)")
    return parser


def run(names: tuple[str, ...], settings: dict[str, Any], out: Path, work: Path | None = None) -> list[Path]:
    """Run benchmarks; show the table of each one when it is done, and write its JSON file.

    Args:
        names: of `BENCHMARKS`.
        settings: fields of `Settings`, without the folder.
        out: directory of the JSON files.
        work: directory for what several calls share; None: a temporary one.

    Returns:
        The paths of the JSON files.
    """
    trainers.quiet_libraries()
    warnings.filterwarnings("ignore", message=".*(num_workers|You defined a .validation_step|does not have many).*")
    head = present.head()
    written = []
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=out) as folder:
        if work is not None:
            work.mkdir(parents=True, exist_ok=True)
        complete = Settings(**settings, folder=Path(work or folder).resolve())
        # Paths by their last name only, since the files may be published.
        saved = {key: value.name if isinstance(value, Path) else value for key, value in asdict(complete).items()}
        for name in names:
            rows = _FUNCTIONS[name](complete)
            path = out / f"{name}.json"
            present.save(path, head, saved, rows)
            present.show(head, rows)
            written.append(path)
    return written
