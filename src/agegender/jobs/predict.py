"""Predict age and gender of image files with a checkpoint."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from agegender import labels
from agegender.data import images
from agegender.data.sources.joined import ARCHIVE_SUFFIXES
from agegender.data.sources.listing import check_size, find_image_files
from agegender.data.sources.utkface import open_source
from agegender.jobs import build
from agegender.system.errors import InputError

_BATCH = 64


@dataclass(frozen=True)
class Prediction:
    """What a network says of one file.

    Attributes:
        path: of the file.
        group, gender: names of the most probable ones.
        group_probability, gender_probability: theirs, in [0, 1].
        years: expected age.
        error: why there is no prediction; "" if there is one.
    """

    path: Path
    group: str = ""
    group_probability: float = 0.0
    years: float = 0.0
    gender: str = ""
    gender_probability: float = 0.0
    error: str = ""


def find_images(paths: list[Path]) -> dict[Path, Callable[[], bytes]]:
    """List image files; a directory stands for those in it and below it, an archive for those in it.

    Returns:
        By path, how to read each; an image of an archive has the path of the archive before its own.

    Raises:
        InputError: a path does not exist, an archive cannot be read, or there is no image at all.
    """
    found: dict[Path, Callable[[], bytes]] = {}
    for path in paths:
        if not path.exists():
            raise InputError(f"{path} does not exist; give images, or folders or archives of them")
        if path.is_dir():
            found |= {file: partial(_read, file) for file in _images_below(path)}
        elif path.name.lower().endswith(ARCHIVE_SUFFIXES):
            source = open_source(path)
            found |= {path / name: partial(source.read, name) for name in source.names()}
        else:
            found[path] = partial(_read, path)
    if not found:
        raise InputError(f"no image in {', '.join(map(str, paths))}; give images, or folders or archives of them")
    return found


def _images_below(folder: Path) -> list[Path]:
    files = find_image_files(folder)
    files.report_hidden()
    return sorted(folder / path for path in files.paths)


def _read(path: Path) -> bytes:
    check_size(path.stat().st_size)
    return path.read_bytes()


def predict(checkpoint: Path, paths: list[Path]) -> Iterator[Prediction]:
    """Predict for face crops like those that the checkpoint was trained on.

    Args:
        checkpoint: of a run.
        paths: image files, or folders or archives of them.

    Yields:
        A prediction per file, in order; a file that cannot be decoded says why.
    """
    files = find_images(paths)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    module = build.load_module(checkpoint).to(device)
    config = build.read_checkpoint_config(checkpoint)
    names = build.age_groups_of(config).names
    for start in range(0, len(files), _BATCH):
        batch = list(files)[start : start + _BATCH]
        pictures: dict[Path, np.ndarray] = {}
        errors: dict[Path, str] = {}
        for file in batch:
            try:
                pictures[file] = images.resize(images.decode(files[file]()), config["data"]["image_size"])
            except (ValueError, OSError) as error:
                errors[file] = str(error)
        told = {}
        if pictures:
            with torch.inference_mode():
                stack = torch.from_numpy(np.stack(list(pictures.values()))).permute(0, 3, 1, 2)
                outputs = module(stack.to(device))
                age, gender = module.method.decode(outputs.age), outputs.gender.softmax(dim=1)
            rows = (values.cpu() for values in (age.group, age.years, gender))
            told = dict(zip(pictures, zip(*rows, strict=True), strict=True))
        for file in batch:
            if file in errors:
                yield Prediction(file, error=errors[file])
                continue
            group, years, of_gender = told[file]
            first, second = int(group.argmax()), int(of_gender.argmax())
            yield Prediction(
                *(file, names[first], float(group[first]), float(years)),
                *(labels.GENDERS[second], float(of_gender[second])),
            )
