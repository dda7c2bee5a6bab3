"""UTKFace as people have it: a folder, nested folders, a .tar, .tar.gz or .zip; Zhang et al. 2017.

A file is named [age]_[gender]_[race]_[date&time].jpg; the release has names that break its own rule, and they are read
as far as they can be.
"""

import hashlib
import lzma
import os
import re
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Any

from agegender.data.faces import Face, Source
from agegender.errors import DatasetNotFoundError, InputError
from agegender.labels import MAX_AGE, RACES, UNKNOWN_RACE

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
MAX_FILE_BYTES = 64 * 2**20  # a face of 200 x 200 has 5 kB: what is larger than this is no face, or an archive bomb
_NAME = re.compile(r"\s*(?P<age>\d+)_(?P<gender>\d+)(?:_(?P<race>\d)(?=[_.\s]))?(?=[_.\s])")


def parse_name(name: str) -> Face:
    """Read age, gender and race from a file name, tolerantly.

    Args:
        name: such as "24_0_1_20170116220224657 .jpg.chip.jpg"; directories before it do not matter. A missing race, a
            space, a missing dot, a digit short in the time are accepted: age and gender are what is needed.

    Raises:
        ValueError: no age and gender can be read from it; the message is the reason alone.
    """
    match = _NAME.match(PurePosixPath(name).name)
    if match is None:
        raise ValueError("the name is not [age]_[gender]_[race]_[date&time]")
    age, gender = int(match["age"]), int(match["gender"])
    if age > MAX_AGE:
        raise ValueError(f"age {age} is not in 0 to {MAX_AGE}")
    if gender not in (0, 1):
        raise ValueError(f"gender {gender} is neither 0 (male) nor 1 (female)")
    race = int(match["race"]) if match["race"] is not None else UNKNOWN_RACE
    return Face(age, gender, race if race < len(RACES) else UNKNOWN_RACE)


def open_source(root: str | os.PathLike[str]) -> Source:
    """Open a folder or an archive of UTKFace.

    Args:
        root: a folder (searched through, symbolic links followed), or a .tar, .tar.gz, .tar.bz2, .tar.xz or .zip.

    Raises:
        DatasetNotFoundError: nothing is there.
        InputError: the file is not an archive that can be read.
    """
    path = Path(root).expanduser()
    try:
        if path.is_dir():
            return FolderSource(path)
        if not path.exists():
            raise DatasetNotFoundError(
                f"data.root={root} does not exist; give UTKFace's folder or archive, or try experiment=demo, "
                "which needs no download"
            )
        if zipfile.is_zipfile(path):
            return ZipSource(path)
        if tarfile.is_tarfile(path):
            return TarSource(path)
    except PermissionError as error:
        raise InputError(f"data.root={root} cannot be read ({error.strerror}); check its permissions") from error
    raise InputError(f"data.root={root} is neither a folder nor a .tar, .tar.gz or .zip that can be read; get it again")


def _is_image(name: str) -> bool:
    path = PurePosixPath(name)
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts)  # what file managers leave behind
    return path.suffix.lower() in IMAGE_SUFFIXES and not hidden


def _without_common_folder(paths: list[str], label: str) -> dict[str, str]:
    """Map each short name to its path, so that a folder and an archive of it give the same names."""
    if not paths:
        raise DatasetNotFoundError(
            f"no UTKFace images in {label}; set data.root, or try experiment=demo, which needs no download"
        )
    parents = {str(PurePosixPath(path).parent) for path in paths}
    common = os.path.commonpath(parents) if len(parents) > 1 else parents.pop()
    prefix = "" if common in ("", ".") else common.rstrip("/") + "/"
    return dict(sorted((path[len(prefix) :], path) for path in paths))


def _file_signature(path: Path) -> str:
    stat = path.stat()
    return hashlib.sha256(f"{path.resolve()}\t{stat.st_size}\t{stat.st_mtime_ns}".encode()).hexdigest()


def _check_size(num_bytes: int) -> None:
    if num_bytes > MAX_FILE_BYTES:
        raise ValueError(f"the file has {num_bytes:,} bytes, more than {MAX_FILE_BYTES:,}")


class FolderSource:
    """Images in a folder and in the folders below it."""

    def __init__(self, path: Path) -> None:
        self.label = path.resolve().name
        self._path = path
        self._listing: dict[str, str] | None = None

    def _paths(self) -> dict[str, str]:
        if self._listing is None:
            found = []
            for folder, _, files in os.walk(self._path, followlinks=True, onerror=_raise):
                inside = Path(folder).relative_to(self._path)
                found += [(inside / file).as_posix() for file in files if _is_image((inside / file).as_posix())]
            self._listing = _without_common_folder(found, str(self._path))
        return self._listing

    def names(self) -> list[str]:
        return list(self._paths())

    def signature(self) -> str:
        digest = hashlib.sha256(str(self._path.resolve()).encode(errors="backslashreplace"))
        for path in self._paths().values():
            stat = (self._path / path).stat()
            digest.update(f"{path}\t{stat.st_size}\t{stat.st_mtime_ns}\n".encode(errors="backslashreplace"))
        return digest.hexdigest()

    def read(self, name: str) -> bytes:
        path = self._path / self._paths()[name]
        _check_size(path.stat().st_size)
        return path.read_bytes()


def _raise(error: OSError) -> None:
    raise InputError(f"{error.filename} cannot be read ({error.strerror}); check its permissions") from error


class TarSource:
    """Images in a tar. A plain one is read in place; a compressed one has no random access, so that its images are read
    into memory when they are listed (138 MB for UTKFace).
    """

    def __init__(self, path: Path) -> None:
        self.label = path.name
        self._path = path
        self._listing: dict[str, str] | None = None
        self._members: dict[str, tarfile.TarInfo] = {}
        self._contents: dict[str, bytes] | None = None

    def _open(self) -> dict[str, str]:
        if self._listing is None:
            try:
                with tarfile.open(self._path) as archive:
                    compressed = not _is_plain(self._path)
                    contents = {}
                    for member in filter(_is_image_member, archive):
                        self._members[member.name] = member
                        if compressed and member.size <= MAX_FILE_BYTES:
                            file = archive.extractfile(member)
                            assert file is not None
                            contents[member.name] = file.read()
            except (tarfile.TarError, EOFError, OSError, ValueError, zlib.error, lzma.LZMAError) as error:
                raise _broken(self._path, error) from error
            self._contents = contents if compressed else None
            self._listing = _without_common_folder(list(self._members), str(self._path))
        return self._listing

    def names(self) -> list[str]:
        return list(self._open())

    def signature(self) -> str:
        return _file_signature(self._path)

    def read(self, name: str) -> bytes:
        member = self._members[self._open()[name]]
        _check_size(member.size)
        if self._contents is not None:
            return self._contents[member.name]
        with self._path.open("rb") as file:
            file.seek(member.offset_data)
            return file.read(member.size)


def _is_image_member(member: tarfile.TarInfo) -> bool:
    return member.isfile() and _is_image(member.name)


def _is_plain(path: Path) -> bool:
    try:
        with tarfile.open(path, mode="r:"):
            return True
    except tarfile.ReadError:
        return False


def _broken(path: Path, error: Exception) -> InputError:
    return InputError(f"{path} is a broken archive ({error}); get it again, or extract what can be saved of it")


class ZipSource:
    """Images in a zip, read in place."""

    def __init__(self, path: Path) -> None:
        self.label = path.name
        self._path = path
        self._archives: dict[int, zipfile.ZipFile] = {}  # by process: forked ones must not share a file position
        files = [info for info in self._archive().infolist() if not info.is_dir() and _is_image(info.filename)]
        if any(info.flag_bits & 1 for info in files):
            raise InputError(f"{path} is encrypted; extract it with its password and give the folder")
        self._sizes = {info.filename: info.file_size for info in files}
        self._paths = _without_common_folder(list(self._sizes), str(path))

    def _archive(self) -> zipfile.ZipFile:
        try:
            return self._archives.get(os.getpid()) or self._archives.setdefault(
                os.getpid(), zipfile.ZipFile(self._path)
            )
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise _broken(self._path, error) from error

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_archives": {}}

    def names(self) -> list[str]:
        return list(self._paths)

    def signature(self) -> str:
        return _file_signature(self._path)

    def read(self, name: str) -> bytes:
        path = self._paths[name]
        _check_size(self._sizes[path])
        try:
            return self._archive().read(path)  # locked inside: several threads may read
        except (zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
            raise ValueError(f"broken in the archive ({error})") from error
