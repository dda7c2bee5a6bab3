"""Archives of images: tar, plain or compressed, and zip."""

import hashlib
import lzma
import os
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

from agegender.data.sources.formats import HEAD_BYTES
from agegender.data.sources.listing import (
    MAX_FILE_BYTES,
    MAX_LABEL_FILE_BYTES,
    ImageFiles,
    check_size,
    is_label_file,
    raise_unreadable,
)
from agegender.system.errors import InputError

ARCHIVE_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".zip")
# Errors of Python's libraries for broken archives.
BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    struct.error,
)


def broken(path: Path, error: Exception) -> InputError:
    """Return the error for a broken archive, with the reason."""
    return InputError(f"{path} is a broken archive ({error}); download it again, or extract what is intact")


def _location(path: Path) -> str:
    """Return the path of the folder that an archive would be extracted to, for `image_paths`."""
    plain = path.name.lower()
    suffix = next((end for end in ARCHIVE_SUFFIXES if plain.endswith(end)), "")
    return (path.resolve().parent / path.name[: len(path.name) - len(suffix)]).as_posix()


def _file_signature(path: Path) -> str:
    stat = path.stat()
    text = f"{path.resolve()}\t{stat.st_size}\t{stat.st_mtime_ns}"
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()


class TarSource:
    """Images in a tar file.

    A plain tar is read in place. A compressed one has no random access, so its images are read into memory when they
    are listed (138 MB for UTKFace).
    """

    def __init__(self, path: Path) -> None:
        self.label = path.name
        self._path = path
        self._listing: dict[str, str] | None = None
        self._members: dict[str, tarfile.TarInfo] = {}
        self._contents: dict[str, bytes] | None = None
        self._label_files: dict[str, tarfile.TarInfo] = {}
        self._label_contents: dict[str, bytes] = {}

    def _open(self) -> dict[str, str]:
        if self._listing is None:
            found = ImageFiles(str(self._path))
            compressed = not _is_plain(self._path)
            contents: dict[str, bytes] = {}
            try:
                with tarfile.open(self._path) as archive:
                    for member in archive:
                        content = self._add(found, archive, member, whole=compressed)
                        if compressed and content is not None:
                            contents[member.name] = content
                    if not _is_whole(archive):
                        raise tarfile.ReadError("it is cut off, or damaged in the middle")
            except BROKEN as error:
                raise broken(self._path, error) from error
            self._contents = contents if compressed else None
            self._listing = found.by_name()
        return self._listing

    def _add(
        self, found: ImageFiles, archive: tarfile.TarFile, member: tarfile.TarInfo, *, whole: bool
    ) -> bytes | None:
        """Add a member to the list if it is an image; return its content if `whole` files are to be read."""
        if not (member.isfile() or member.islnk() or member.issym()):
            return None
        file = archive.extractfile(member) if member.isfile() else None  # a link: an image by its name, or none
        content = None
        if whole and file is not None:
            # Read only once: going back in a compressed stream means to decompress it from the start.
            content = file.read(member.size if member.size <= MAX_FILE_BYTES else HEAD_BYTES)

        def read_head() -> bytes:
            if content is not None:
                return content
            return file.read(HEAD_BYTES) if file is not None else b""

        if not found.add(member.name, read_head):
            if is_label_file(member.name) and file is not None and member.size <= MAX_LABEL_FILE_BYTES:
                self._label_files[member.name] = member
                if content is not None and len(content) == member.size:
                    self._label_contents[member.name] = content
                elif whole:
                    self._label_contents[member.name] = (content or b"") + file.read()
            return None
        self._members[member.name] = member
        return content

    def names(self) -> list[str]:
        return list(self._open())

    def signature(self) -> str:
        return _file_signature(self._path)

    def image_paths(self) -> dict[str, str]:
        return {name: f"{_location(self._path)}/{path}" for name, path in self._open().items()}

    def label_files(self) -> list[str]:
        self._open()
        return sorted(self._label_files)

    def read_label_file(self, path: str) -> bytes:
        self._open()
        if path in self._label_contents:
            return self._label_contents[path]
        member = self._label_files[path]
        try:
            return self._read_member(member)
        except OSError as error:
            raise_unreadable(error)

    def read(self, name: str) -> bytes:
        member = self._members[self._open()[name]]
        if not member.isfile():
            raise ValueError("a link inside the archive; extract it and give the folder")
        check_size(member.size)
        if self._contents is not None:
            return self._contents[member.name]
        try:
            return self._read_member(member)
        except OSError as error:
            raise_unreadable(error)

    def _read_member(self, member: tarfile.TarInfo) -> bytes:
        with self._path.open("rb") as file:
            file.seek(member.offset_data)
            return file.read(member.size)


def _is_whole(archive: tarfile.TarFile) -> bool:
    """Whether a tar was read up to its end mark: tarfile stops at a broken header without an error."""
    assert archive.fileobj is not None
    archive.fileobj.seek(archive.offset)
    return archive.fileobj.read(tarfile.BLOCKSIZE) == bytes(tarfile.BLOCKSIZE)


def _is_plain(path: Path) -> bool:
    try:
        with tarfile.open(path, mode="r:"):
            return True
    except tarfile.ReadError:
        return False


class ZipSource:
    """Images in a zip file, read in place."""

    def __init__(self, path: Path) -> None:
        self.label = path.name
        self._path = path
        self._archives: dict[int, zipfile.ZipFile] = {}  # by process: forked processes must not share a file position
        found = ImageFiles(str(path))
        files = [info for info in self._archive().infolist() if not info.is_dir()]
        if any(info.flag_bits & 1 for info in files):
            raise InputError(f"{path} is encrypted; extract it with its password and give the folder")
        for info in files:
            found.add(info.filename, lambda info=info: self._read_head(info))
        self._sizes = {info.filename: info.file_size for info in files}
        self._paths = found.by_name()
        self._label_files = [path for path in found.label_files() if self._sizes[path] <= MAX_LABEL_FILE_BYTES]

    def _archive(self) -> zipfile.ZipFile:
        try:
            return self._archives.get(os.getpid()) or self._archives.setdefault(
                os.getpid(), zipfile.ZipFile(self._path)
            )
        except BROKEN as error:
            raise broken(self._path, error) from error

    def _read_head(self, info: zipfile.ZipInfo) -> bytes:
        try:
            with self._archive().open(info) as file:
                return file.read(HEAD_BYTES)
        except BROKEN:  # a file that is not named like an image may be broken
            return b""

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_archives": {}}

    def names(self) -> list[str]:
        return list(self._paths)

    def signature(self) -> str:
        return _file_signature(self._path)

    def image_paths(self) -> dict[str, str]:
        return {name: f"{_location(self._path)}/{path}" for name, path in self._paths.items()}

    def label_files(self) -> list[str]:
        return list(self._label_files)

    def read_label_file(self, path: str) -> bytes:
        try:
            return self._archive().read(path)
        except BROKEN as error:
            raise broken(self._path, error) from error

    def read(self, name: str) -> bytes:
        path = self._paths[name]
        check_size(self._sizes[path])
        archive = self._archive()
        try:
            return archive.read(path)  # has a lock inside, so several threads may call it
        except BROKEN as error:
            raise ValueError(f"broken in the archive ({error})") from error
