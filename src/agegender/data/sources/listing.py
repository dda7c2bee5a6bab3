"""Which files of a folder or an archive are images, and their names: one rule for training, audit and prediction."""

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import NoReturn

from agegender.data.sources.formats import HEAD_BYTES, image_format
from agegender.data.sources.other_files import explain
from agegender.system.errors import DatasetNotFoundError, InputError

IMAGE_SUFFIXES = frozenset(
    {
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".webp",
        ".bmp",
        ".dib",
        ".gif",
        ".tif",
        ".tiff",
        ".heic",
        ".heif",
        ".hif",
        ".avif",
        ".jp2",
        ".jxl",
        ".ppm",
        ".pgm",
    }
)
LABEL_SUFFIXES = frozenset({".csv", ".tsv", ".txt", ".json", ".mat"})
MAX_FILE_BYTES = 64 * 2**20  # a face of 200 x 200 has 5 kB; a larger file is no face crop, or an archive bomb
MAX_LABEL_FILE_BYTES = 2**30  # CelebA's attributes have 27 MB, IMDB's imdb.mat 100 MB; an archive bomb has more

log = logging.getLogger(__name__)


class ImageFiles:
    """Collects the image files of a folder or an archive, and counts hidden ones.

    A file is an image by its suffix or, with another suffix, by its first bytes. Hidden files, and files in hidden
    folders, are not images: they are leftovers of file managers, such as macOS's `._name.jpg`.

    Args:
        label: of the folder or archive, for messages.

    Attributes:
        paths: of the images.
        others: paths of the other files, without the hidden ones.
    """

    def __init__(self, label: str) -> None:
        self._label = label
        self.paths: list[str] = []
        self.others: list[str] = []
        self._num_hidden = 0

    def add(self, path: str, read_head: Callable[[], bytes]) -> bool:
        """Add one file, and return whether it is an image.

        Args:
            path: inside the folder or archive, with slashes.
            read_head: returns the file's first `HEAD_BYTES` bytes; called only if they are needed.
        """
        has_image_suffix = PurePosixPath(path).suffix.lower() in IMAGE_SUFFIXES
        if _is_hidden(path):
            self._num_hidden += has_image_suffix and not _is_macos_metadata(path)
            return False
        if not has_image_suffix and image_format(read_head()) is None:
            self.others.append(path)
            return False
        self.paths.append(path)
        return True

    def report_hidden(self) -> None:
        """Warn about hidden files that are named like images."""
        if self._num_hidden:
            log.warning("%s: %d hidden image files are left out", self._label, self._num_hidden)

    def by_name(self) -> dict[str, str]:
        """Return the paths by short names, which are the same for a folder and an archive of it.

        Raises:
            DatasetNotFoundError: there is no image; the message names a file of another kind that is there.
        """
        self.report_hidden()
        if not self.paths:
            raise DatasetNotFoundError(
                f"no UTKFace images in {self._label}{explain(self.others)}; set data.root, or try experiment=demo, "
                "which needs no download"
            )
        return _without_common_folder(self.paths)

    def label_files(self) -> list[str]:
        """Return the paths of the files that may hold labels, by their suffixes, sorted."""
        return sorted(path for path in self.others if is_label_file(path))


def is_label_file(path: str) -> bool:
    """Whether a file may hold labels of images, by its suffix."""
    return PurePosixPath(path).suffix.lower() in LABEL_SUFFIXES


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(path).parts)


def _is_macos_metadata(path: str) -> bool:
    """Whether a hidden file contains macOS's metadata of another file, and so is not an image."""
    parts = PurePosixPath(path).parts
    return "__MACOSX" in parts or parts[-1].startswith("._")


def find_image_files(folder: Path) -> ImageFiles:
    """Collect the image files in a folder and its subfolders; symbolic links are followed.

    Raises:
        InputError: a folder cannot be read.
    """
    found = ImageFiles(str(folder))
    for path in _files_below(folder):
        found.add(path.relative_to(folder).as_posix(), lambda path=path: read_head(path))
    return found


def _files_below(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder, followlinks=True, onerror=raise_unreadable):
        folders[:] = [name for name in folders if not _is_link_to_parent(parent, name)]
        yield from (Path(parent, name) for name in files)


def _is_link_to_parent(folder: str, name: str) -> bool:
    """Whether a directory is a link to one of its own parents, which would be an endless loop."""
    return Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(os.path.join(folder, name)))


def read_head(path: Path) -> bytes:
    """Return a file's first bytes; none if it is not a regular file, or cannot be read."""
    try:
        if not path.is_file():  # reading a pipe would wait for its writer
            return b""
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError:
        return b""


def read_file(path: Path) -> bytes:
    """Return a file's bytes.

    Raises:
        InputError: the system cannot read it.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise_unreadable(error)


def _without_common_folder(paths: list[str]) -> dict[str, str]:
    path_of = {str(PurePosixPath(path)).lstrip("/"): path for path in paths}  # "./a" and "a" are one
    parents = {str(PurePosixPath(path).parent) for path in path_of}
    common = os.path.commonpath(parents) if len(parents) > 1 else parents.pop()
    prefix = "" if common in ("", ".") else common.rstrip("/") + "/"
    return dict(sorted((plain[len(prefix) :], path) for plain, path in path_of.items()))


def check_size(num_bytes: int) -> None:
    """Raise a ValueError for a file that is too large to be a face crop; the message is the reason alone."""
    if num_bytes > MAX_FILE_BYTES:
        raise ValueError(f"the file has {num_bytes:,} bytes, more than {MAX_FILE_BYTES:,}")


def raise_unreadable(error: OSError) -> NoReturn:
    """Raise an InputError that names the file or folder that the system cannot read."""
    raise InputError(f"{error.filename} cannot be read ({error.strerror}); fix or remove it") from error
