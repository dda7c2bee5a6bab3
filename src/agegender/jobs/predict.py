"""Predict age and gender of faces with a checkpoint."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from agegender import labels
from agegender.data import images
from agegender.data.sources.joined import ARCHIVE_SUFFIXES
from agegender.data.sources.listing import check_size, find_image_files
from agegender.data.sources.utkface import open_source
from agegender.jobs import build
from agegender.system.errors import InputError

_BATCH = 64

Face = str | PathLike[str] | Image.Image | np.ndarray


@dataclass(frozen=True)
class Prediction:
    """What a network predicts for one face.

    Attributes:
        path: of the file; None for a picture that came from elsewhere.
        group, gender: names of the most probable ones.
        group_probability, gender_probability: theirs, in [0, 1].
        years: expected age.
        error: why there is no prediction; "" if there is one.
    """

    path: Path | None
    group: str = ""
    group_probability: float = 0.0
    years: float = 0.0
    gender: str = ""
    gender_probability: float = 0.0
    error: str = ""


class Predictor:
    """A trained network that predicts for face crops like those that it was trained on.

    Args:
        checkpoint: of a run.

    Raises:
        InputError: no such file, or not a checkpoint of this project.
    """

    def __init__(self, checkpoint: Path) -> None:
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        trained = build.load_trained(checkpoint)
        self._module = trained.module.to(self._device)
        self._groups = trained.groups.names
        self._image_size = trained.image_size

    def predict(self, faces: Face | Sequence[Face]) -> list[Prediction]:
        """Predict age group, years and gender.

        Args:
            faces: one or several: paths of images, of folders or archives of them; PIL images; uint8 arrays (H, W, 3)
                in RGB.

        Returns:
            A prediction per face, in order; a file that cannot be decoded says why.

        Raises:
            InputError: a path does not exist, or an array is no picture.
        """
        several = [faces] if isinstance(faces, str | PathLike | Image.Image | np.ndarray) else list(faces)
        found: list[tuple[Path | None, Callable[[], np.ndarray]]] = []
        for face in several:
            if isinstance(face, str | PathLike):
                files = find_images([Path(face).expanduser()])
                found += [(path, partial(_decode, read)) for path, read in files.items()]
            else:
                found.append((None, partial(_pixels, face)))
        return list(self._predict(found))

    def predict_files(self, files: Mapping[Path, Callable[[], bytes]]) -> Iterator[Prediction]:
        """Predict for files as `find_images` lists them, batch by batch."""
        return self._predict([(path, partial(_decode, read)) for path, read in files.items()])

    def _predict(self, faces: list[tuple[Path | None, Callable[[], np.ndarray]]]) -> Iterator[Prediction]:
        for start in range(0, len(faces), _BATCH):
            batch = faces[start : start + _BATCH]
            pictures: dict[int, np.ndarray] = {}
            errors: dict[int, str] = {}
            for number, (_, read) in enumerate(batch):
                try:
                    pictures[number] = images.resize(read(), self._image_size)
                except InputError:
                    raise
                except (ValueError, OSError) as error:
                    errors[number] = str(error)
            predicted = dict(zip(pictures, self._infer(list(pictures.values())), strict=True))
            for number, (path, _) in enumerate(batch):
                values = predicted.get(number)
                yield Prediction(path, error=errors[number]) if values is None else Prediction(path, *values)

    def _infer(self, pictures: list[np.ndarray]) -> Iterator[tuple[str, float, float, str, float]]:
        if not pictures:
            return
        with torch.inference_mode():
            stack = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)  # uint8 (B, 3, H, W)
            outputs = self._module(stack.to(self._device))
            age = self._module.method.decode(outputs.age)
            genders = outputs.gender.softmax(dim=1)
        for group, years, gender in zip(age.group.cpu(), age.years.cpu(), genders.cpu(), strict=True):
            age_class = int(group.argmax())
            gender_class = int(gender.argmax())
            yield (
                self._groups[age_class],
                float(group[age_class]),
                float(years),
                labels.GENDERS[gender_class],
                float(gender[gender_class]),
            )


def load(checkpoint: str | PathLike[str]) -> Predictor:
    """Load a checkpoint to predict with: `load("runs/.../best.ckpt").predict("photos/")`."""
    return Predictor(Path(checkpoint).expanduser())


def predict(checkpoint: Path, paths: list[Path]) -> Iterator[Prediction]:
    """Predict for image files, or folders or archives of them, in order."""
    files = find_images(paths)
    return Predictor(checkpoint).predict_files(files)


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


def _decode(read: Callable[[], bytes]) -> np.ndarray:
    return images.decode(read())


def _pixels(face: Image.Image | np.ndarray) -> np.ndarray:
    """Return a picture as uint8 (H, W, 3)."""
    if isinstance(face, Image.Image):
        return np.array(face.convert("RGB"))  # a copy that may be written, as PyTorch wants it
    if face.dtype != np.uint8 or face.ndim != 3 or face.shape[2] != 3:
        raise InputError(f"an array of {face.dtype} {face.shape} is no picture; give uint8 (H, W, 3) in RGB")
    return face
