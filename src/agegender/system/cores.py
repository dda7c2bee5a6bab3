"""The processor cores that this process may use, and threads on them."""

import contextlib
import os


def available_cores() -> list[int]:
    """Return the indices of the cores that this process may use: on a shared machine, fewer than it has."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def bind_thread(core: int) -> None:
    """Pin the calling thread to one core, if the system supports that."""
    if hasattr(os, "sched_setaffinity"):
        with contextlib.suppress(OSError):  # a sandbox may deny pinning; the thread then runs on any core
            os.sched_setaffinity(0, {core})
