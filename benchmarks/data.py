"""Data loading: building the cache, and how its cost and that of an epoch grow with the data."""

import shutil
import time
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from agegender.data.cache import Cache
from agegender.data.sources.utkface import open_source
from benchmarks.fit import fit_ours
from benchmarks.measure import Row, compare
from benchmarks.subject import Settings, faces, job

GROWTH_SIZE = 64  # pixels; ten times the data at 256 pixels would be 12 GB
GROWTH_MODEL = "levi_hassner"  # the fastest network, so that data loading shows


def cache_build(settings: Settings, num_images: int) -> list[Row]:
    """Compare building the cache on all cores with decoding and scaling by Pillow on one core."""
    root = faces(settings, num_images)
    return compare(
        f"cache of {num_images:,} images, {settings.image_size} px",
        {"Pillow, one core": partial(_pillow, root, settings), "cache build": partial(_build, root, settings)},
        unit="images/s",
        base="Pillow, one core",
        repeats=settings.repeats,
        notes={"cache build": "listing, hashes, duplicates and writing to the disk included"},
    )


def _pillow(root: Path, settings: Settings) -> float:
    paths = sorted(root.iterdir())
    start = time.perf_counter()
    for path in paths:
        with Image.open(path) as image:
            image.convert("RGB").resize((settings.image_size, settings.image_size), Image.Resampling.BILINEAR)
    return len(paths) / (time.perf_counter() - start)


def _build(root: Path, settings: Settings) -> float:
    folder = settings.folder / "cache-build"
    start = time.perf_counter()
    cache = Cache(open_source(root), image_size=settings.image_size, limit=None, seed=0, folder=folder)
    table = cache.table()
    cache.pixels(table)
    seconds = time.perf_counter() - start
    shutil.rmtree(folder)
    return len(table) / seconds


def growth(settings: Settings, num_images: int, factor: int = 10) -> list[Row]:
    """Compare the rates of building the cache and of a whole epoch, on some data and on `factor` times as much."""
    small = settings.at(GROWTH_SIZE)
    roots = {1: faces(small, num_images), factor: faces(small, num_images, copies=factor)}
    sizes = {times: f"{times * num_images:,} images" for times in roots}
    base = sizes[1]
    repeats = min(settings.repeats, 3)  # ten times the data takes ten times as long
    builds = {sizes[times]: partial(_build, root, small) for times, root in roots.items()}
    rows = compare(f"cache build, {GROWTH_SIZE} px", builds, unit="images/s", base=base, repeats=repeats)
    configs = {times: _whole_epoch(small, root) for times, root in roots.items()}
    epochs = {sizes[times]: partial(_epoch, config, small) for times, config in configs.items()}
    title = f"epoch, {GROWTH_MODEL}, {GROWTH_SIZE} px"
    return rows + compare(title, epochs, unit="images/s", base=base, repeats=repeats)


def _whole_epoch(settings: Settings, root: Path) -> dict[str, Any]:
    """Configure an epoch over all training images; without leak control, copies are not dropped."""
    return job(settings, GROWTH_MODEL, root, "data.leak_control=false", "trainer.limit_train_batches=1.0")


def _epoch(config: dict[str, Any], settings: Settings) -> float:
    return fit_ours(config, settings, resident=False)
