"""UTKFace as it is distributed: a folder, nested folders, a .tar, .tar.gz or .zip; Zhang et al. 2017.

A file is named [age]_[gender]_[race]_[date&time].jpg; some names of the release break this rule, and are read as far as
possible.
"""

import hashlib
import logging
import os
import re
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from agegender.data.sources.archives import ARCHIVE_SUFFIXES, BROKEN, TarSource, ZipSource, broken
from agegender.data.sources.base import Face, FileSource
from agegender.data.sources.joined import BesideFiles, JoinedSource
from agegender.data.sources.listing import (
    ImageFiles,
    check_size,
    find_image_files,
    raise_unreadable,
    read_file,
    read_head,
)
from agegender.data.sources.other_files import EXPECTATION, kind_of
from agegender.labels import MAX_AGE, RACES, UNKNOWN_RACE
from agegender.system.errors import DatasetNotFoundError, InputError

log = logging.getLogger(__name__)

# Irregular names of the release have no race, a blank or no dot after the time, or one digit too few or too many in it.
_NAME = re.compile(r"\s*(?P<age>\d+)_(?P<gender>\d+)(?:_(?P<race>\d))?_(?P<date>\d{8,20})(?!\d)", re.ASCII)
_LABELS = re.compile(r"\s*\d+_\d+(?=[_.\s])", re.ASCII)
_NO_DATE = "the name has no date such as 20170116174525125 after age, gender and race, so it may mean something else"
_DATE = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")


class _Parsed(NamedTuple):
    """The content of a name: the labels, and the date and time at which UTKFace collected the image."""

    face: Face
    date: str


def parse_name(name: str) -> Face:
    """Read age, gender and race from a file name, tolerantly.

    Args:
        name: such as "24_0_1_20170116220224657 .jpg.chip.jpg"; directories before it do not matter. The race, a dot or
            a digit of the time may be missing, and there may be a blank: only age and gender are needed. A date is
            required, though: without this rule, "12_1_2020.jpg" would be a face of twelve years.

    Raises:
        ValueError: age and gender cannot be read from the name; the message is the reason alone.
    """
    return _parse(name).face


def photograph_key(name: str) -> tuple[int, int, int, str] | None:
    """Return what identifies the photograph that a file shows: age, gender, race and date; None if they are missing.

    In UTKFace's parts and crops these four are the same for one photograph, even if the rest of the names differs.
    """
    try:
        face, date = _parse(name)
    except ValueError:
        return None
    return face.age, face.gender, face.race, date


def _parse(name: str) -> _Parsed:
    plain = PurePosixPath(name).name
    match = _NAME.match(plain)
    if match is None or not _DATE.match(match["date"]):
        raise ValueError(_NO_DATE if _LABELS.match(plain) else "the name is not [age]_[gender]_[race]_[date&time]")
    age = int(match["age"])
    gender = int(match["gender"])
    if age > MAX_AGE:
        raise ValueError(f"age {age} is not in 0 to {MAX_AGE}")
    if gender not in (0, 1):
        raise ValueError(f"gender {gender} is neither 0 (male) nor 1 (female)")
    race = int(match["race"]) if match["race"] is not None else UNKNOWN_RACE
    return _Parsed(Face(age, gender, race if race < len(RACES) else UNKNOWN_RACE), match["date"])


def open_source(root: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> FileSource:
    """Open a folder or an archive of UTKFace, or several of them as one data set.

    Args:
        root: a folder (searched recursively, symbolic links are followed), or a .tar, .tar.gz, .tar.bz2, .tar.xz or
            .zip; a folder with archives but no images stands for its archives. Or a list of these.

    Raises:
        DatasetNotFoundError: the path does not exist, or contains no images.
        InputError: the file is not an archive that can be read, or a list names one twice.
    """
    if isinstance(root, str | os.PathLike):
        return _open(Path(root).expanduser())
    paths = [Path(path).expanduser() for path in root]
    if not paths:
        raise InputError("data.root=[] names nothing; give a folder, an archive, or several of them")
    resolved = [path.resolve() for path in paths]
    repeated = [str(path) for path, target in zip(paths, resolved, strict=True) if resolved.count(target) > 1]
    if repeated:
        raise InputError(f"data.root names {repeated[0]} twice; give each folder or archive once")
    sources = [_open(path) for path in paths]
    return sources[0] if len(sources) == 1 else JoinedSource(sources)


def _open(path: Path) -> FileSource:
    try:
        if path.is_dir():
            return _open_folder(path)
        if not path.exists():
            raise DatasetNotFoundError(
                f"data.root={path} does not exist; give UTKFace's folder or archive, or try experiment=demo, "
                "which needs no download"
            )
        if zipfile.is_zipfile(path):
            return ZipSource(path)
        if tarfile.is_tarfile(path):
            return TarSource(path)
    except PermissionError as error:
        raise InputError(f"data.root={path} cannot be read ({error.strerror}); check its permissions") from error
    except BROKEN as error:
        if isinstance(error, InputError):
            raise
        raise broken(path, error) from error
    kind = kind_of(path.name, read_head(path))
    if kind is not None:
        raise InputError(f"data.root={path} is {kind}, which is not read as images: {EXPECTATION}")
    raise InputError(
        f"data.root={path} is neither a folder nor a .tar, .tar.gz or .zip that can be read; download it again"
    )


def _open_folder(path: Path) -> FileSource:
    files = find_image_files(path)
    archives = [path / name for name in sorted(files.others) if name.lower().endswith(ARCHIVE_SUFFIXES)]
    if not archives or files.paths:
        if archives:
            log.warning(
                "%s contains images, so its %d archives are not read, %s first; name them too in data.root=[...]",
                path,
                len(archives),
                archives[0].name,
            )
        return FolderSource(path, files)
    sources = [_open(archive) for archive in archives]
    for source in sources:
        source.names()  # so that an error about an archive without images names the archive
    return JoinedSource(sources, label=path.resolve().name, beside=BesideFiles(path, files.label_files()))


class FolderSource:
    """Images in a folder and its subfolders.

    Args:
        path: of the folder.
        files: its image files, if they are known already.
    """

    def __init__(self, path: Path, files: ImageFiles | None = None) -> None:
        self.label = path.resolve().name
        self._path = path
        self._files = files
        self._listing: dict[str, str] | None = None

    def _found(self) -> ImageFiles:
        if self._files is None:
            self._files = find_image_files(self._path)
        return self._files

    def _paths(self) -> dict[str, str]:
        if self._listing is None:
            self._listing = self._found().by_name()
        return self._listing

    def names(self) -> list[str]:
        return list(self._paths())

    def signature(self) -> str:
        digest = hashlib.sha256(str(self._path.resolve()).encode(errors="backslashreplace"))
        for path in self._paths().values():
            stat = self._stat(path)
            digest.update(f"{path}\t{stat.st_size}\t{stat.st_mtime_ns}\n".encode(errors="backslashreplace"))
        return digest.hexdigest()

    def image_paths(self) -> dict[str, str]:
        location = self._path.resolve().as_posix()
        return {name: f"{location}/{path}" for name, path in self._paths().items()}

    def label_files(self) -> list[str]:
        return self._found().label_files()

    def read_label_file(self, path: str) -> bytes:
        return read_file(self._path / path)

    def read(self, name: str) -> bytes:
        path = self._paths()[name]
        check_size(self._stat(path).st_size)
        try:
            return (self._path / path).read_bytes()
        except OSError as error:
            if _is_broken_link(self._path / path):
                raise ValueError("a symbolic link to a file that does not exist") from error
            raise_unreadable(error)

    def _stat(self, path: str) -> os.stat_result:
        try:
            return (self._path / path).stat()
        except OSError as error:  # checked only here, since there are many files and few broken links
            if _is_broken_link(self._path / path):
                return (self._path / path).lstat()
            raise_unreadable(error)


def _is_broken_link(path: Path) -> bool:
    return path.is_symlink() and not path.exists()
