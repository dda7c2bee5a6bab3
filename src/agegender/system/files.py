"""Files that are whole or not there: written under another name, sent to the disk, then renamed."""

import glob
import hashlib
import os
import re
import secrets
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_TEMPORARY = ".tmp"  # suffix of what is being written
_WRITER = re.compile(r"\.([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.tmp$")  # machine, process and file in a temporary name
_ABANDONED_SECONDS = 3600.0  # without a change: of a writer on another machine, which may have died with it
_ROOM_BYTES = 64 * 1024  # for the first files of a sweep: its configuration, a record, a log

_being_written: set[Path] = set()  # by this process


@contextmanager
def replacing(path: Path, *, temporary: Path | None = None) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` once the disk has all of it; on an error the former one stays.

    Without the wait for the disk a power cut can leave a file that has its name and no content. What a killed process
    left of the same file is removed.

    Args:
        path: in a directory that exists.
        temporary: written meanwhile, in the same directory; None: a name of its own, for several writers at once.

    Raises:
        OSError: there is no room, or the disk refuses; it names `path`, which the system does only on opening a file.
    """
    if temporary is None:
        _remove_abandoned(path)
        temporary = path.with_name(f".{path.name}.{_machine()}-{os.getpid()}-{secrets.token_hex(4)}{_TEMPORARY}")
    _being_written.add(temporary)
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        if error.errno is not None and str(error.filename) in ("None", str(temporary)):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)
        _being_written.discard(temporary)


def remove_temporary(folder: Path) -> None:
    """Remove what killed processes left of files in a directory, whose only writer the caller is."""
    for left in folder.glob(f".*{_TEMPORARY}"):
        left.unlink(missing_ok=True)


def _remove_abandoned(path: Path) -> None:
    """Remove temporary files of `path` that no process writes any more."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*{_TEMPORARY}"):
        with suppress(FileNotFoundError):  # another writer has removed it, or renamed it
            if _is_abandoned(left):
                left.unlink()


def _is_abandoned(temporary: Path) -> bool:
    writer = _WRITER.search(temporary.name)
    if writer is None or writer[1] != _machine():
        return time.time() - temporary.stat().st_mtime > _ABANDONED_SECONDS
    number = int(writer[2])
    return temporary not in _being_written if number == os.getpid() else not _is_running(number)


def _is_running(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def _machine() -> str:
    """Name what process numbers are unique in: a host, or a container on it."""
    with suppress(OSError):
        return _short_hash(f"{socket.gethostname()} {os.stat('/proc/self/ns/pid').st_ino}")
    return _short_hash(socket.gethostname())


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def check_room(folder: Path) -> None:
    """Write a file without a name and drop it.

    Raises:
        OSError: nothing can be written there, or too little; it names the directory.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"\0" * _ROOM_BYTES)
            probe.flush()
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from error


def sync_folder(folder: Path) -> None:
    """Send a directory's names to the disk; some network file systems cannot, and need not."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_atomically(path: Path, content: str | bytes, *, errors: str = "backslashreplace") -> None:
    """Write a file under a temporary name, send it to the disk and rename it: it holds the old content or the new.

    Args:
        path: its directory is made where it is missing.
        content: what to write.
        errors: how characters of a text without UTF-8 are written, as for `str.encode`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(content.encode(errors=errors) if isinstance(content, str) else content)
