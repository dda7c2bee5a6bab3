"""The cache directory: errors of its disk name the directory and the keys that choose it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agegender.system.errors import InputError, MachineError, explain, first_line

_CHOICES = "data.cache_dir= or AGEGENDER_CACHE chooses another directory, data.cache=false keeps no decoded images"


@contextmanager
def writing_cache(folder: Path) -> Iterator[None]:
    """Name the cache in errors of its disk; errors of other files pass unchanged.

    Raises:
        InputError: the directory cannot be used.
        MachineError: its disk is full or fails.
    """
    try:
        yield
    except MachineError:
        raise
    except OSError as error:
        if error.filename is not None and not _is_on_path(folder, Path(str(error.filename))):
            raise
        explained = explain(OSError(error.errno, error.strerror) if error.errno is not None else error)
        reason = first_line(error) if explained is None else str(explained)
        kind = InputError if isinstance(explained, InputError) else MachineError
        raise kind(f"the cache in {folder} cannot be written: {reason}; {_CHOICES}") from error


def _is_on_path(folder: Path, other: Path) -> bool:
    """Whether a path is inside a directory, or is one of its parents."""
    return other.is_relative_to(folder) or folder.is_relative_to(other)


def check_free_space(folder: Path, num_bytes: int) -> None:
    """Raise MachineError if a directory's disk has less free space than the decoded images need."""
    free = shutil.disk_usage(folder).free
    if num_bytes > free:
        raise MachineError(
            f"{folder} has {free / 1e9:.1f} GB free, and the decoded images need {num_bytes / 1e9:.1f} GB; free some "
            f"space, or: {_CHOICES}, a smaller data.image_size needs less"
        )
