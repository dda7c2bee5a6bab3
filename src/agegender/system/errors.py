"""What a user can mend, told in one line: mistakes, with exit code 2, and the machine's faults, with exit code 1."""

import errno
import sys
from typing import NoReturn

# Errors of the operating system that the user can mend, not the code: no room, no permission, no such place.
_MENDS = {
    errno.ENOENT: "check the path",
    errno.ENOSPC: "free some space, or choose another disk",
    errno.EDQUOT: "your disk quota is used up; free some space, or choose another disk",
    errno.EFBIG: "the file is larger than this system allows; choose another disk",
    errno.EIO: "the disk fails, or its server; check it, or choose another disk",
    errno.EACCES: "check its permissions, or choose another directory",
    errno.EPERM: "check its permissions, or choose another directory",
    errno.EROFS: "choose a directory that can be written",
    errno.ENOTDIR: "a part of this path is a file, not a directory; choose another directory",
    errno.EEXIST: "a file stands where a directory is needed; choose another directory",
    errno.EISDIR: "a directory stands where a file is needed; choose another path",
    errno.ENAMETOOLONG: "choose a shorter name",
}


# Of these, what no other input would have prevented: the same command resumes once they are mended.
_FAULTS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


class InputError(ValueError):
    """A mistake in what the user gave; the message says what was wrong, what was expected and what to do."""


class DatasetNotFoundError(InputError):
    """The path of the data set holds no images."""


class MachineError(OSError):
    """A fault of the machine in the middle of work; the message says which file, what happened and what to do."""


def refuse(reason: str) -> NoReturn:
    """End with one line and exit code 2, where Hydra would show an exception's traceback."""
    print(f"error: {reason}", file=sys.stderr)
    sys.exit(2)


def first_line(error: BaseException, *, limit: int = 200, kind: bool = False) -> str:
    """Shorten an error that a library raised.

    Args:
        error: whose message may have many lines.
        limit: characters.
        kind: put the error's class before its message.
    """
    text = str(error).strip()
    return (f"{type(error).__name__}: {text}" if kind else text).split("\n")[0][:limit]


def explain(error: BaseException) -> InputError | MachineError | None:
    """Put the user's mistakes, and limits of the machine that the user can mend, in one line.

    Args:
        error: what was raised; its causes are looked at too, since libraries wrap a full disk in errors of their own.

    Returns:
        An error of one line; None if it is neither: then it is a defect, and its traceback matters.
    """
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:  # an error can be its own context
        seen.add(id(cause))
        if isinstance(cause, InputError | MachineError):
            kind = MachineError if isinstance(cause, MachineError) else InputError
            return kind(" ".join(str(cause).split()))
        if isinstance(cause, OSError) and cause.errno in _MENDS:
            kind = MachineError if cause.errno in _FAULTS else InputError
            place = f"{cause.filename}: " if cause.filename else ""
            return kind(f"{place}{cause.strerror}; {_MENDS[cause.errno]}")
        cause = cause.__cause__ or cause.__context__
    return None


def describe(error: BaseException) -> str | None:
    """Return the line of `explain`; None for a defect."""
    explained = explain(error)
    return None if explained is None else str(explained)


def exit_code(error: BaseException) -> int:
    """Return the exit code of an error that `explain` knows: 2 for a mistake of the user's, 1 for a machine's fault."""
    return 1 if isinstance(explain(error), MachineError) else 2


def end(error: BaseException, advice: str = "") -> NoReturn:
    """End with the one line of an error and its exit code, where Hydra would show its traceback."""
    print(f"error: {describe(error) or error}{advice}", file=sys.stderr)
    sys.exit(exit_code(error))
