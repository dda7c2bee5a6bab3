"""The readers of the data sets: one module each in this package, with `FILES` and `read`, found by its name."""

import pkgutil
from importlib import import_module
from typing import Protocol

from agegender.data.sources import sets
from agegender.data.sources.face_labels import Labels
from agegender.data.sources.label_files import LabelFiles, MissingLabelsError
from agegender.system.errors import InputError

NAMED_AS_UTKFACE = "utkface"  # the set without files of labels: they are in the names
ANY_TABLE = "faces_csv"  # no set, but a table for any
_NOT_SETS = ("reading", "values")


class _Reader(Protocol):
    """A module of this package.

    Attributes:
        FILES: patterns of the names of the set's files of labels; empty where the images' names hold them.
    """

    FILES: tuple[str, ...]

    def read(self, files: LabelFiles) -> Labels: ...


def set_names() -> list[str]:
    """Return the names of all sets that can be read."""
    return sorted(module.name for module in pkgutil.iter_modules(sets.__path__) if module.name not in _NOT_SETS)


def read_labels(name: str, files: LabelFiles) -> Labels:
    """Read the labels of a data set.

    Args:
        name: of the set's module.
        files: its files.

    Raises:
        InputError: there is no such set; a file is missing (then the error names a set that fits) or wrong.
    """
    try:
        return _reader(name).read(files)
    except MissingLabelsError as error:
        fitting = [other for other in set_names() if other != name and files.has(*_reader(other).FILES)]
        option = "data.labels=faces.csv" if fitting[:1] == [ANY_TABLE] else f"data={fitting[0]}" if fitting else ""
        advice = f"try {option}" if option else "set data.root to the folder or archive that holds it too"
        raise InputError(f"{error}; {advice}") from error


def _reader(name: str) -> _Reader:
    if name not in set_names():
        raise InputError(f"data.set={name}: no such set; choose one of {', '.join([NAMED_AS_UTKFACE, *set_names()])}")
    return import_module(f"{sets.__name__}.{name}")  # pyright: ignore[reportReturnType]
