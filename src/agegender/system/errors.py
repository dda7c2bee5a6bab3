"""Errors that a user can fix, in one line: mistakes in the input (exit code 2), faults of the machine (exit code 1)."""

import errno
import sys
from typing import NoReturn

# Errors of the operating system that the user can fix, and how: a full disk, a missing permission, a wrong path.
_REMEDIES = {
    errno.ENOENT: "check the path",
    errno.ENOSPC: "free some space, or choose another disk",
    errno.EDQUOT: "your disk quota is used up; free some space, or choose another disk",
    errno.EFBIG: "the file is larger than this system allows; choose another disk",
    errno.EIO: "the disk or its server reports a fault; check it, or choose another disk",
    errno.EACCES: "check its permissions, or choose another directory",
    errno.EPERM: "check its permissions, or choose another directory",
    errno.EROFS: "choose a writable directory",
    errno.ENOTDIR: "a part of this path is a file, not a directory; choose another directory",
    errno.EEXIST: "there is a file where a directory is needed; choose another directory",
    errno.EISDIR: "there is a directory where a file is needed; choose another path",
    errno.ENAMETOOLONG: "choose a shorter name",
}


# Those that no other input would have prevented: once they are fixed, the same command resumes.
_FAULTS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})

# Errors of PyTorch on a GPU that the user can fix, by a part of their message, and how.
_GPU_REMEDIES = {
    "out of memory": "use a smaller data.batch_size, or data.resident=false, which leaves the images in the CPU's "
    "memory; hydra.launcher.jobs_per_gpu=1 gives each job a GPU of its own",
    "NVIDIA driver": "update the driver, install a PyTorch for this one (pytorch.org), or use trainer=cpu",
}


class InputError(ValueError):
    """A mistake in the user's input; the message says what was wrong, what was expected and what to do."""


class DatasetNotFoundError(InputError):
    """The path of the data set contains no images."""


class MachineError(OSError):
    """A fault of the machine during a run; the message says which file, what happened and what to do."""


def refuse(reason: str) -> NoReturn:
    """Exit with one line and code 2; an exception would make Hydra print a traceback."""
    print(f"error: {reason}", file=sys.stderr)
    sys.exit(2)


def first_line(error: BaseException, *, limit: int = 200, kind: bool = False) -> str:
    """Return the first line of an error that a library raised.

    Args:
        error: its message may have many lines.
        limit: maximum number of characters.
        kind: whether to put the name of the error's class in front.
    """
    text = str(error).strip()
    return (f"{type(error).__name__}: {text}" if kind else text).split("\n")[0][:limit]


def explain(error: BaseException) -> InputError | MachineError | None:
    """Turn a mistake of the user, or a fault of the machine that the user can fix, into an error of one line.

    Args:
        error: what was raised; its causes are searched too, since libraries wrap a full disk in errors of their own.

    Returns:
        The error; None for anything else: that is a bug, and its traceback matters.
    """
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:  # an error can be its own context
        seen.add(id(cause))
        if isinstance(cause, InputError | MachineError):
            kind = MachineError if isinstance(cause, MachineError) else InputError
            return kind(" ".join(str(cause).split()))
        if isinstance(cause, OSError) and cause.errno in _REMEDIES:
            kind = MachineError if cause.errno in _FAULTS else InputError
            place = f"{cause.filename}: " if cause.filename else ""
            return kind(f"{place}{cause.strerror}; {_REMEDIES[cause.errno]}")
        if isinstance(cause, RuntimeError) and (remedy := _gpu_remedy(cause)) is not None:
            return MachineError(f"{first_line(cause).rstrip('. ')}; {remedy}")
        cause = cause.__cause__ or cause.__context__
    return None


def _gpu_remedy(error: RuntimeError) -> str | None:
    text = str(error)
    is_of_gpu = "CUDA" in text or "NVIDIA" in text
    return next((remedy for part, remedy in _GPU_REMEDIES.items() if is_of_gpu and part in text), None)


def describe(error: BaseException) -> str | None:
    """Return the message of `explain`; None for a bug."""
    explained = explain(error)
    return None if explained is None else str(explained)


def exit_code(error: BaseException) -> int:
    """Return the exit code of an error that `explain` knows: 2 for a mistake of the user, 1 for a machine's fault."""
    return 1 if isinstance(explain(error), MachineError) else 2


def end(error: BaseException, advice: str = "") -> NoReturn:
    """Exit with an error's message in one line and its code; if it were raised, Hydra would print a traceback."""
    print(f"error: {describe(error) or error}{advice}", file=sys.stderr)
    sys.exit(exit_code(error))
