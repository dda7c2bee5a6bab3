"""Locks between processes of one machine, or of several that share a file system.

Not flock, which network file systems may lack, or grant to two machines at once: a file that its holder touches every
few seconds. Who finds it untouched for longer than that takes it over, so that a dead node blocks nobody.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock

LEASE_SECONDS = 30.0  # without a sign of life


class HeldElsewhere(Exception):
    """Another process has the lock."""


@contextmanager
def locked(path: Path, *, timeout: float | None = None) -> Iterator[None]:
    """Hold the lock of a file or directory; it lies beside it as a hidden file.

    What is written under it should be renamed into place when complete: a holder that stood still for long may have
    lost the lock without knowing.

    Args:
        path: that it protects.
        timeout: seconds to wait; None for as long as it takes.

    Raises:
        HeldElsewhere: it was not free in time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    marker = path.with_name(f".{path.name}.lease")
    _remove_torn(marker)
    lock = filelock.SoftFileLease(marker, lease_duration=LEASE_SECONDS)
    try:
        lock.acquire(timeout=-1 if timeout is None else timeout)
    except filelock.Timeout as error:
        raise HeldElsewhere(str(path)) from error
    try:
        yield
    finally:
        lock.release()


def _remove_torn(marker: Path) -> None:
    """Remove a marker that names no holder, as a crash of the file system may leave one: it would never expire."""
    with suppress(FileNotFoundError):
        status = marker.stat()
        if status.st_size == 0 and time.time() - status.st_mtime > 2 * LEASE_SECONDS:
            marker.unlink()
