"""Several folders and archives as one data set, such as the three parts of UTKFace in the wild."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from agegender.data.sources.archives import ARCHIVE_SUFFIXES
from agegender.data.sources.base import FileSource
from agegender.data.sources.listing import read_file


class BesideFiles(NamedTuple):
    """Files in the folder of the archives.

    Attributes:
        folder: where they are.
        paths: relative to it.
    """

    folder: Path
    paths: list[str]

    def read(self, path: str) -> bytes:
        """Return the bytes of a file."""
        return read_file(self.folder / path)


class JoinedSource:
    """Several sources as one; each source's label becomes a folder in its names, as if the archives were extracted.

    Args:
        sources: two or more.
        label: a readable name for all of them; None: their labels.
        beside: files of labels beside them; None if there are none.
    """

    def __init__(
        self, sources: Sequence[FileSource], label: str | None = None, beside: BesideFiles | None = None
    ) -> None:
        self.label = label if label is not None else " + ".join(source.label for source in sources)
        self._sources = dict(zip(_folder_names([source.label for source in sources]), sources, strict=True))
        self._beside = beside

    def names(self) -> list[str]:
        return sorted(f"{folder}/{name}" for folder, source in self._sources.items() for name in source.names())

    def signature(self) -> str:
        signatures = [f"{folder}\t{source.signature()}\n" for folder, source in self._sources.items()]
        return hashlib.sha256("".join(signatures).encode(errors="backslashreplace")).hexdigest()

    def image_paths(self) -> dict[str, str]:
        paths = {
            f"{folder}/{name}": path
            for folder, source in self._sources.items()
            for name, path in source.image_paths().items()
        }
        return dict(sorted(paths.items()))

    def label_files(self) -> list[str]:
        own = [f"{folder}/{path}" for folder, source in self._sources.items() for path in source.label_files()]
        return sorted([*own, *(self._beside.paths if self._beside is not None else ())])

    def read_label_file(self, path: str) -> bytes:
        if self._beside is not None and path in self._beside.paths:
            return self._beside.read(path)
        folder, _, inside = path.partition("/")
        return self._sources[folder].read_label_file(inside)

    def read(self, name: str) -> bytes:
        folder, _, inside = name.partition("/")
        return self._sources[folder].read(inside)


def _folder_names(labels: Sequence[str]) -> list[str]:
    """Return a folder name for each source: its label without an archive's suffix, with a number if that is taken."""
    names: list[str] = []
    for label in labels:
        plain = next((label[: -len(end)] for end in ARCHIVE_SUFFIXES if label.lower().endswith(end)), label) or "root"
        name = plain
        number = 2
        while name in names:
            name = f"{plain}-{number}"
            number += 1
        names.append(name)
    return names
