"""Atomic file writes: under a temporary name, flushed to the disk, then renamed."""

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

_TEMPORARY = ".tmp"  # suffix of a file that is being written
_WRITER = re.compile(r"\.([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.tmp$")  # machine, process and file in a temporary name
_ABANDONED_SECONDS = 3600.0  # without a change: then a writer on another machine is taken for dead
_PROBE_BYTES = 64 * 1024  # enough for the first files of a sweep: its configuration, a record, a log

_being_written: set[Path] = set()  # by this process


@contextmanager
def replacing(path: Path, *, temporary: Path | None = None) -> Iterator[BinaryIO]:
    """Open a file that replaces `path` once all of it is on the disk; on an error the previous file stays.

    Without the flush to the disk, a power cut could leave an empty file under the final name. Temporary files that
    killed processes left for the same path are removed.

    Args:
        path: in an existing directory.
        temporary: the name while writing, in the same directory; None: a unique name, for several writers at once.

    Raises:
        OSError: the disk is full or fails; the error names `path`, which the system does only when it opens a file.
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
    """Remove the temporary files of killed processes from a directory; the caller must be its only writer."""
    for leftover in folder.glob(f".*{_TEMPORARY}"):
        leftover.unlink(missing_ok=True)


def _remove_abandoned(path: Path) -> None:
    """Remove temporary files of `path` that no running process writes."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*{_TEMPORARY}"):
        with suppress(FileNotFoundError):  # another writer has removed it, or renamed it
            if _is_abandoned(leftover):
                leftover.unlink()


def _is_abandoned(temporary: Path) -> bool:
    writer = _WRITER.search(temporary.name)
    if writer is None or writer[1] != _machine():
        return time.time() - temporary.stat().st_mtime > _ABANDONED_SECONDS
    pid = int(writer[2])
    return temporary not in _being_written if pid == os.getpid() else not _is_running(pid)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # a process of another user
        return True
    return True


def _machine() -> str:
    """Return an identifier of the scope in which process numbers are unique: a host, or a container on it."""
    with suppress(OSError):
        return _short_hash(f"{socket.gethostname()} {os.stat('/proc/self/ns/pid').st_ino}")
    return _short_hash(socket.gethostname())


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def check_writable(folder: Path) -> None:
    """Check that a directory can take small files, by writing an unnamed one.

    Raises:
        OSError: nothing can be written there, or the disk is full; it names the directory.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"\0" * _PROBE_BYTES)
            probe.flush()
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from error


def sync_folder(folder: Path) -> None:
    """Flush a directory's entries to the disk; some network file systems cannot do that, and need not."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_atomically(path: Path, content: str | bytes, *, errors: str = "backslashreplace") -> None:
    """Write a file so that it holds either the old content or the new, never a part: see `replacing`.

    Args:
        path: its directory is created if missing.
        content: what to write.
        errors: how to write characters that UTF-8 cannot encode, as for `str.encode`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(content.encode(errors=errors) if isinstance(content, str) else content)
