"""Locks between processes of one machine, or of several that share a file system.

Not flock, which network file systems may lack, or grant to two machines at once: a file that its holder touches every
few seconds. Who finds it untouched for longer than that takes it over, so that a dead node blocks nobody. Its age is
told by the clock of the file system, which all machines share.
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
    """Remove a marker whose holder has given no sign of life for as long as the lease lasts.

    The library does so too, but counts from its own first look, and not on network file systems: there it cannot take
    a marker's place in one step. Of several processes that find it expired one renames it; what another one renames
    after that is a new holder's, and goes back.
    """
    with suppress(FileNotFoundError):
        judged = marker.stat()
        if _now(marker) - judged.st_ctime <= LEASE_SECONDS:
            return
        aside = marker.with_name(f"{marker.name}.{secrets.token_hex(8)}")
        os.rename(marker, aside)
        taken = aside.stat()
        if (taken.st_ino, taken.st_mtime_ns) != (judged.st_ino, judged.st_mtime_ns):
            with suppress(FileExistsError):
                os.link(aside, marker)
        aside.unlink()


def _now(marker: Path) -> float:
    """Tell the time by the clock that stamps the files beside a marker."""
    probe = marker.with_name(f"{marker.name}.{secrets.token_hex(8)}")
    try:
        probe.touch()
        return probe.stat().st_ctime
    finally:
        probe.unlink(missing_ok=True)
