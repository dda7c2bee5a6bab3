"""Locks between processes on one machine, or on several that share a file system.

Network file systems may lack flock, or grant it to two machines at once. So a lock is a file that its holder touches
every few seconds. A process that finds it untouched for the length of the lease takes it over, so a dead node blocks
nobody. The file's age is measured with the clock of the file system, which all machines share.
"""

import math
import os
import secrets
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
    """Hold the lock of a file or directory; the lock is a hidden file next to it.

    Files written under the lock should be renamed into place when complete: a holder that was suspended for long may
    have lost the lock without knowing.

    Args:
        path: the file or directory to protect.
        timeout: seconds to wait; None: without a limit.

    Raises:
        HeldElsewhere: the lock was not free in time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    marker = path.with_name(f".{path.name}.lease")
    lock = filelock.SoftFileLease(marker, lease_duration=LEASE_SECONDS)
    deadline = math.inf if timeout is None else time.monotonic() + timeout
    while True:
        _remove_expired(marker)
        left = max(0.0, deadline - time.monotonic())
        try:
            lock.acquire(timeout=min(left, LEASE_SECONDS / 3))
            break
        except filelock.Timeout as error:
            if left <= LEASE_SECONDS / 3:
                raise HeldElsewhere(str(path)) from error
    try:
        yield
    finally:
        lock.release()


def _remove_expired(marker: Path) -> None:
    """Remove a marker whose holder has given no sign of life for the length of the lease.

    The library does so too, but it measures from its own first look, and not on network file systems, where it cannot
    replace a marker in one step. If several processes find the marker expired, one of them renames it; a marker that
    another one renames after that belongs to a new holder and is put back.
    """
    with suppress(FileNotFoundError):
        expired = marker.stat()
        if _now(marker) - expired.st_ctime <= LEASE_SECONDS:
            return
        aside = marker.with_name(f"{marker.name}.{secrets.token_hex(8)}")
        os.rename(marker, aside)
        taken = aside.stat()
        if (taken.st_ino, taken.st_mtime_ns) != (expired.st_ino, expired.st_mtime_ns):
            with suppress(FileExistsError):
                os.link(aside, marker)
        aside.unlink()


def _now(marker: Path) -> float:
    """Return the time of the clock that stamps the files next to a marker."""
    probe = marker.with_name(f"{marker.name}.{secrets.token_hex(8)}")
    try:
        probe.touch()
        return probe.stat().st_ctime
    finally:
        probe.unlink(missing_ok=True)
