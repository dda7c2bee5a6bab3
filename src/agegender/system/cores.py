"""The processor cores that this process may use, and threads on them."""

import contextlib
import os


def available_cores() -> list[int]:
    """Number the cores that this process may use, fewer than the machine has on a shared or limited one."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def bind_thread(core: int) -> None:
    """Keep the calling thread on one core, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        with contextlib.suppress(OSError):  # a sandbox may refuse: the thread then runs where it is put
            os.sched_setaffinity(0, {core})
