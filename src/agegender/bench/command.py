"""`agegender bench`: which benchmarks there are, and how they are run."""

import tempfile
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agegender import trainers
from agegender.bench import BENCHMARKS, cost, data, fit, inference, job_memory, present, startup, step
from agegender.bench.accuracy import agreement
from agegender.bench.measure import Row
from agegender.bench.subject import Settings, checkout

_CACHE_IMAGES, _GROWTH_IMAGES = 6_000, 6_000
_SMALL_SIZE = 64  # pixels, where a step is short and what surrounds it shows
_SEEDS = (0, 1, 2)


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


def _startup(settings: Settings) -> list[Row]:
    return startup.commands(settings) + startup.complete_sweep(settings)


def _inference(settings: Settings) -> list[Row]:
    models = settings.models
    return [row for model in models for row in inference.inference(settings, model, compiled=settings.compiled)]


def _accuracy(settings: Settings) -> list[Row]:
    return agreement(settings, settings.models[0], number=4_000, max_epochs=5, seeds=_SEEDS)


_FUNCTIONS: dict[str, Callable[[Settings], list[Row]]] = {
    "data": _data,
    "growth": _growth,
    "memory": _memory,
    "step": _step,
    "fit": _fit,
    "cost": _cost,
    "epoch": _epoch,
    "lightning": _lightning,
    "startup": _startup,
    "inference": _inference,
    "accuracy": _accuracy,
}
assert _FUNCTIONS.keys() == BENCHMARKS.keys()


def run(names: tuple[str, ...], settings: dict[str, Any], out: Path) -> list[Path]:
    """Run benchmarks, show each one's table when it is done, and write its JSON.

    Args:
        names: of `BENCHMARKS`.
        settings: fields of `Settings`, but for the folder.
        out: directory of the JSON files.

    Returns:
        The files.
    """
    checkout()
    trainers.quiet_libraries()
    warnings.filterwarnings("ignore", message=".*(num_workers|You defined a .validation_step|does not have many).*")
    about, written = present.head(), []
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=out) as folder:
        told = Settings(**settings, folder=Path(folder).resolve())
        for name in names:
            rows = _FUNCTIONS[name](told)
            path = out / f"{name}.json"
            asked = {key: value.name if isinstance(value, Path) else value for key, value in asdict(told).items()}
            present.save(path, about, asked, rows)
            present.show(about, rows)
            written.append(path)
    return written
