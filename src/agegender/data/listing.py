"""Which files of a folder or an archive are images, and by what names."""

import os
from pathlib import PurePosixPath
from typing import NoReturn

from agegender.errors import DatasetNotFoundError, InputError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
MAX_FILE_BYTES = 64 * 2**20  # a face of 200 x 200 has 5 kB: what is larger than this is no face, or an archive bomb


def is_image(name: str) -> bool:
    """Tell an image file by its name; hidden files, and those in hidden folders, are none."""
    path = PurePosixPath(name)
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts)  # what file managers leave behind
    return path.suffix.lower() in IMAGE_SUFFIXES and not hidden


def without_common_folder(paths: list[str], label: str) -> dict[str, str]:
    """Map each short name to its path, so that a folder and an archive of it give the same names."""
    if not paths:
        raise DatasetNotFoundError(
            f"no UTKFace images in {label}; set data.root, or try experiment=demo, which needs no download"
        )
    path_of = {str(PurePosixPath(path)).lstrip("/"): path for path in paths}  # "./a" and "a" are one
    parents = {str(PurePosixPath(path).parent) for path in path_of}
    common = os.path.commonpath(parents) if len(parents) > 1 else parents.pop()
    prefix = "" if common in ("", ".") else common.rstrip("/") + "/"
    return dict(sorted((plain[len(prefix) :], path) for plain, path in path_of.items()))


def check_size(num_bytes: int) -> None:
    """Raise a ValueError, the reason alone, for a file that is too large to be a face."""
    if num_bytes > MAX_FILE_BYTES:
        raise ValueError(f"the file has {num_bytes:,} bytes, more than {MAX_FILE_BYTES:,}")


def raise_unreadable(error: OSError) -> NoReturn:
    """Tell the user which place the system refuses to read."""
    raise InputError(f"{error.filename} cannot be read ({error.strerror}); mend or remove it") from error
