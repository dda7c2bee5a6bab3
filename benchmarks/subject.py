"""The subject of the benchmarks: the project's own configurations, on a folder of faces."""

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from agegender.data.source import draw_faces
from agegender.data.sources.utkface import open_source
from agegender.system.errors import InputError
from benchmarks.clock import WARM_STEPS


@dataclass(frozen=True)
class Settings:
    """The settings of all benchmarks.

    Attributes:
        root: UTKFace, a folder or an archive; None for synthetic faces.
        models: options of `model`.
        image_size: pixels of a side.
        batch_size: images per step.
        steps: timed training steps per repeat.
        repeats: rounds after the warm-up.
        compiled: whether to measure `torch.compile` too, which takes a minute more for each network.
        folder: directory for all files that a benchmark writes, temporary unless several calls share it.
        device: option of `trainer`: `auto`, `gpu` or `cpu`.
        warm_steps: training steps before those that are timed.
    """

    root: Path | None
    models: tuple[str, ...]
    image_size: int
    batch_size: int
    steps: int
    repeats: int
    compiled: bool
    folder: Path
    device: str = "auto"
    warm_steps: int = WARM_STEPS

    @property
    def total_steps(self) -> int:
        """Training steps per repeat, including those that are not timed."""
        return self.warm_steps + self.steps

    def at(self, image_size: int) -> "Settings":
        """Return the same settings with another image size."""
        return replace(self, image_size=image_size)

    @property
    def num_images(self) -> int:
        """Number of images of which the training part, 68 %, suffices for all steps of a repeat."""
        return round(self.total_steps * self.batch_size / 0.65) + 1


def checkout() -> Path:
    """Return the directory that holds train.py and conf/."""
    return Path(__file__).parents[1]


def configuration(*overrides: str) -> dict[str, Any]:
    """Compose a job as train.py would, without a logger and a progress bar."""
    all_overrides = ["logger=none", "trainer.enable_progress_bar=false", *overrides]
    with initialize_config_dir(version_base="1.3", config_dir=str(checkout() / "conf")):
        plain = OmegaConf.to_container(compose("train", all_overrides), resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def faces(settings: Settings, num_images: int, *, copies: int = 1) -> Path:
    """Write a random sample of the images to a folder of files, and return the folder; like an extracted UTKFace.

    Args:
        settings: with the source of the images.
        num_images: size of the sample, drawn with a fixed seed.
        copies: number of files per image: hard links with different dates in their names.

    Raises:
        InputError: there are fewer images.
    """
    folder = settings.folder / f"faces-{num_images}-{copies}"
    if folder.exists():
        return folder
    if settings.root is None:
        source = draw_faces(None, num_synthetic=num_images, synthetic_seed=0, cache_dir=settings.folder)
    else:
        source = open_source(settings.root)
    names = source.names()
    if len(names) < num_images:
        raise InputError(
            f"{source.label} has {len(names):,} images, but {num_images:,} are needed; give more images, or choose "
            "fewer --steps"
        )
    unfinished = folder.with_name(f"{folder.name}.unfinished")  # of a call that was killed, or of this one
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for index in sorted(np.random.default_rng(0).permutation(len(names))[:num_images]):
        first = unfinished / Path(names[index]).name
        first.write_bytes(source.read(names[index]))
        for copy in range(1, copies):
            os.link(first, unfinished / f"{first.name.split('.')[0]}{copy:03d}.jpg")
    unfinished.rename(folder)
    return folder


def job(settings: Settings, model: str, root: Path, *overrides: str) -> dict[str, Any]:
    """Configure the training of one network on a folder."""
    return configuration(
        f"model={model}",
        f"trainer={settings.device}",
        f"data.root={root}",
        f"data.image_size={settings.image_size}",
        f"data.batch_size={settings.batch_size}",
        f"data.cache_dir={settings.folder / 'cache'}",
        "trainer.max_epochs=1",
        "+trainer.enable_checkpointing=false",
        "trainer.limit_val_batches=0",
        f"trainer.limit_train_batches={settings.total_steps}",
        *overrides,
    )
