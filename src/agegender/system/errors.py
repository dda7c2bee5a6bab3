"""What a user can mend: errors that are told in one line, without a traceback, with exit code 2."""

import errno
import sys
from typing import NoReturn

# Errors of the operating system that the user can mend, not the code: no room, no permission, no such place.
_MENDS = {
    errno.ENOENT: "check the path",
    errno.ENOSPC: "free some space, or choose another disk",
    errno.EDQUOT: "your disk quota is used up; free some space, or choose another disk",
    errno.EFBIG: "the file is larger than this system allows; choose another disk",
    errno.EACCES: "check its permissions, or choose another directory",
    errno.EPERM: "check its permissions, or choose another directory",
    errno.EROFS: "choose a directory that can be written",
    errno.ENOTDIR: "a part of this path is a file, not a directory; choose another directory",
    errno.EEXIST: "a file stands where a directory is needed; choose another directory",
    errno.EISDIR: "a directory stands where a file is needed; choose another path",
    errno.ENAMETOOLONG: "choose a shorter name",
}


class InputError(ValueError):
    """A mistake in what the user gave; the message says what was wrong, what was expected and what to do."""


class DatasetNotFoundError(InputError):
    """The path of the data set holds no images."""


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


def describe(error: BaseException) -> str | None:
    """Tell the user's mistakes, and limits of the machine that the user can mend, in one line.

    Args:
        error: what was raised; its causes are looked at too, since libraries wrap a full disk in errors of their own.

    Returns:
        One line, or None if the error is neither: then it is a defect, and its traceback matters.
    """
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:  # an error can be its own context
        seen.add(id(cause))
        if isinstance(cause, InputError):
            return " ".join(str(cause).split())
        if isinstance(cause, OSError) and cause.errno in _MENDS:
            place = f"{cause.filename}: " if cause.filename else ""
            return f"{place}{cause.strerror}; {_MENDS[cause.errno]}"
        cause = cause.__cause__ or cause.__context__
    return None
