"""Which files of a folder or an archive are images, and by what names: one rule for training, audit and prediction."""

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import NoReturn

from agegender.data.sources.formats import HEAD_BYTES, picture_format
from agegender.data.sources.other_files import explain
from agegender.system.errors import DatasetNotFoundError, InputError

IMAGE_SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff"),
        *(".heic", ".heif", ".hif", ".avif", ".jp2", ".jxl", ".ppm", ".pgm"),
    }
)
MAX_FILE_BYTES = 64 * 2**20  # a face of 200 x 200 has 5 kB: what is larger than this is no face, or an archive bomb

log = logging.getLogger(__name__)


class ImageFiles:
    """Gathers the image files of one place, and counts what it leaves out.

    A file is an image by its suffix, or, where that is no image's, by its first bytes. Hidden files, and those in
    hidden folders, are none: file managers leave them behind, such as macOS's `._name.jpg`.

    Args:
        label: of the place, for messages.

    Attributes:
        paths: of the images.
        others: paths of the files that are none, without the hidden ones.
    """

    def __init__(self, label: str) -> None:
        self.paths: list[str] = []
        self._label = label
        self.others: list[str] = []
        self._num_hidden = 0

    def add(self, path: str, read_head: Callable[[], bytes]) -> bool:
        """Look at one file; whether it is an image.

        Args:
            path: inside the place, with slashes.
            read_head: gives the file's first `HEAD_BYTES` bytes, where they are needed.
        """
        named_so = PurePosixPath(path).suffix.lower() in IMAGE_SUFFIXES
        if _is_hidden(path):
            self._num_hidden += named_so and not _is_of_macos(path)
            return False
        if not named_so and picture_format(read_head()) is None:
            self.others.append(path)
            return False
        self.paths.append(path)
        return True

    def report_hidden(self) -> None:
        """Warn of hidden files that are named like images."""
        if self._num_hidden:
            log.warning("%s: %d hidden image files are left out", self._label, self._num_hidden)

    def by_name(self) -> dict[str, str]:
        """Map each short name to its path, so that a folder and an archive of it give the same names.

        Raises:
            DatasetNotFoundError: there is no image; the message names what is there instead.
        """
        self.report_hidden()
        if not self.paths:
            raise DatasetNotFoundError(
                f"no UTKFace images in {self._label}{explain(self.others)}; set data.root, or try experiment=demo, "
                "which needs no download"
            )
        return _without_common_folder(self.paths)


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(path).parts)


def _is_of_macos(path: str) -> bool:
    """Whether a hidden file holds macOS's notes on another file, and so no picture."""
    parts = PurePosixPath(path).parts
    return "__MACOSX" in parts or parts[-1].startswith("._")


def find_image_files(folder: Path) -> ImageFiles:
    """Gather the image files in a folder and in those below it; symbolic links are followed.

    Raises:
        InputError: a folder cannot be read.
    """
    found = ImageFiles(str(folder))
    for path in _files_below(folder):
        found.add(path.relative_to(folder).as_posix(), lambda path=path: read_head(path))
    return found


def _files_below(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder, followlinks=True, onerror=raise_unreadable):
        folders[:] = [name for name in folders if not _leads_back(place, name)]
        yield from (Path(place, name) for name in files)


def _leads_back(folder: str, name: str) -> bool:
    """Tell whether a directory is a link to one that it lies in, which would never end."""
    return Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(os.path.join(folder, name)))


def read_head(path: Path) -> bytes:
    """Read a file's first bytes; none where it is no file, or cannot be read."""
    try:
        if not path.is_file():  # a pipe would wait for its writer
            return b""
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError:
        return b""


def _without_common_folder(paths: list[str]) -> dict[str, str]:
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
