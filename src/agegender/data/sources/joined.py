"""Several folders and archives as one data set, such as the three parts of UTKFace in the wild."""

import hashlib
from collections.abc import Sequence

from agegender.data.sources.base import Source

ARCHIVE_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".zip")


class JoinedSource:
    """Several sources as one; each source's label becomes a folder in its names, as if the archives were extracted.

    Args:
        sources: two or more.
        label: a readable name for all of them; None: their labels.
    """

    def __init__(self, sources: Sequence[Source], label: str | None = None) -> None:
        self.label = label if label is not None else " + ".join(source.label for source in sources)
        self._sources = dict(zip(_folder_names([source.label for source in sources]), sources, strict=True))

    def names(self) -> list[str]:
        return sorted(f"{folder}/{name}" for folder, source in self._sources.items() for name in source.names())

    def signature(self) -> str:
        signatures = [f"{folder}\t{source.signature()}\n" for folder, source in self._sources.items()]
        return hashlib.sha256("".join(signatures).encode(errors="backslashreplace")).hexdigest()

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
