"""A folder of synthetic faces with names like UTKFace's, so that everything runs without a download.

Age and gender show in the drawings as in photographs, in shapes, lines and hair, and the same models learn them. That
serves tests, demonstrations and timings. It is no substitute for real data: results on drawings say nothing about
people.
"""

import io
import shutil
import uuid
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from agegender.data.cache_folder import writing_cache
from agegender.data.synthetic.face import draw_face
from agegender.system.locks import locked

__all__ = ["AGE_COUNTS", "VERSION", "draw_face", "synthetic_folder", "write_faces"]

VERSION = 1  # part of the folder's name: raise it whenever the same seed gives other images

# UTKFace's 23,707 aligned and cropped faces by age, from 0 to 116 years.
# fmt: off
AGE_COUNTS = (
    0, 1123, 482, 289, 273, 195, 131, 139, 263, 166, 156, 65, 130, 81, 157, 177, 247, 158, 262, 98, 284,
    346, 395, 426, 859, 734, 2197, 615, 918, 570, 724, 350, 664, 143, 409, 880, 483, 293, 325, 266, 526,
    132, 266, 157, 100, 440, 153, 170, 153, 148, 381, 138, 232, 241, 353, 268, 236, 97, 271, 82, 293, 161,
    125, 103, 50, 259, 77, 94, 100, 56, 147, 33, 98, 63, 32, 148, 58, 28, 69, 23, 133, 22, 40, 18, 24,
    155, 35, 10, 34, 33, 82, 2, 13, 5, 0, 9, 17, 0, 0, 9, 11, 2, 0, 1, 0, 5, 0, 0, 0, 0, 5, 1, 0, 0, 0, 3,
    4,
)
# fmt: on
FEMALE_SHARE = 11_317 / 23_707
RACE_SHARES = (0.43, 0.19, 0.145, 0.168, 0.067)  # about UTKFace's
FIRST_MOMENT = datetime(2017, 1, 1)  # names contain a date and time, as UTKFace's of that year
JPEG_QUALITIES = (55, 96)


def write_faces(folder: Path, num_faces: int, seed: int) -> None:
    """Write JPEG files named `[age]_[gender]_[race]_[date and time].jpg.chip.jpg`.

    Ages are spread evenly over UTKFace's distribution, so that small sets follow it too. Image i depends only on
    (seed, num_faces, i): the same call writes the same files, byte for byte.

    Args:
        folder: an existing folder.
        num_faces: number of files, at least 1.
        seed: at least 0.

    Raises:
        ValueError: `num_faces` is below 1 or `seed` below 0.
        OSError: a file cannot be written.
    """
    for index, (age, gender, race) in enumerate(_labels(num_faces, seed)):
        rng = np.random.default_rng((seed, num_faces, index))
        moment = FIRST_MOMENT + timedelta(seconds=index, milliseconds=int(rng.integers(1000)))
        stamp = moment.strftime("%Y%m%d%H%M%S") + f"{moment.microsecond // 1000:03d}"
        picture = io.BytesIO()
        quality = int(rng.integers(*JPEG_QUALITIES))
        draw_face(rng, age, gender, race).save(picture, "JPEG", quality=quality)
        (folder / f"{age}_{gender}_{race}_{stamp}.jpg.chip.jpg").write_bytes(picture.getvalue())


def synthetic_path(num_faces: int, seed: int, cache_dir: Path) -> Path:
    """Return the folder that `synthetic_folder` draws these faces into."""
    return cache_dir / f"synthetic-{num_faces}-{seed}-v{VERSION}"


def synthetic_folder(num_faces: int, seed: int, cache_dir: Path) -> Path:
    """Return a complete folder of synthetic faces, which is drawn if it does not exist.

    If several processes need the same folder at once, one draws it and the others wait.

    Args:
        num_faces: at least 1.
        seed: at least 0.
        cache_dir: created if missing.

    Raises:
        ValueError: `num_faces` is below 1 or `seed` below 0.
        InputError: `cache_dir` cannot be written.
        MachineError: its disk is full or fails.
    """
    _check(num_faces, seed)
    folder = synthetic_path(num_faces, seed, cache_dir)
    if folder.is_dir():
        return folder
    with writing_cache(cache_dir), locked(folder):
        if not folder.is_dir():
            for leftover in cache_dir.glob(f".{folder.name}-*"):  # of killed processes, as this one holds the lock
                shutil.rmtree(leftover, ignore_errors=True)
            unfinished = cache_dir / f".{folder.name}-{uuid.uuid4().hex}"
            unfinished.mkdir()
            try:
                write_faces(unfinished, num_faces, seed)
                unfinished.rename(folder)
            except BaseException:
                shutil.rmtree(unfinished, ignore_errors=True)
                raise
    return folder


def _check(num_faces: int, seed: int) -> None:
    if num_faces < 1:
        raise ValueError(f"num_faces must be at least 1, not {num_faces}")
    if seed < 0:
        raise ValueError(f"seed must be at least 0, not {seed}")


def _labels(num_faces: int, seed: int) -> list[tuple[int, int, int]]:
    """Draw age, gender and race of every face."""
    _check(num_faces, seed)
    rng = np.random.default_rng((seed, num_faces))
    below = np.cumsum(AGE_COUNTS) / sum(AGE_COUNTS)
    ages = np.searchsorted(below, (np.arange(num_faces) + rng.random()) / num_faces, side="right")
    # Women are spread evenly along the sorted ages, so that both genders have the same distribution of ages.
    females = np.diff(np.floor((np.arange(num_faces + 1) + rng.random()) * FEMALE_SHARE)).astype(int)
    races = rng.choice(len(RACE_SHARES), num_faces, p=RACE_SHARES)
    order = rng.permutation(num_faces)
    return list(zip(ages[order].tolist(), females[order].tolist(), races[order].tolist(), strict=True))
