"""Faces as a table, and the protocol of their sources."""

import hashlib
from dataclasses import dataclass
from typing import Protocol

import numpy as np


class Source(Protocol):
    """A collection of named image files. Implementations: `FolderSource`, `TarSource`, `ZipSource`, `JoinedSource`.

    Attributes:
        label: a readable name for messages and tables: "UTKFace.tar", "6,000 synthetic faces, seed 0".
    """

    label: str

    def names(self) -> list[str]:
        """Return the names of the image files, sorted, without the directory that all of them share.

        Raises:
            InputError: the folder or archive cannot be read, or is broken.
        """
        ...

    def signature(self) -> str:
        """Return a cheap signature that changes with the files; no image is read."""
        ...

    def read(self, name: str) -> bytes:
        """Return one file's bytes; several threads may call it at once."""
        ...


@dataclass(frozen=True)
class Face:
    """The labels of a face.

    Attributes:
        age: years, 0 to 120.
        gender: 0 male, 1 female.
        race: 0 to 4, -1 if unknown.
    """

    age: int
    gender: int
    race: int


@dataclass(frozen=True)
class FaceTable:
    """All files of a source, skipped ones included: row i of every array is one file.

    Attributes:
        names: file names as from `Source.names`.
        ages, genders, races: (N,) as in `Face`; 0 in a skipped row.
        sha256: hash of each file's content, hexadecimal; "" for skipped files.
        clusters: (N,) number of the set of near duplicates that the image belongs to.
        skipped: the reason why a file cannot be used; "" for usable files.
    """

    names: tuple[str, ...]
    ages: np.ndarray
    genders: np.ndarray
    races: np.ndarray
    sha256: tuple[str, ...]
    clusters: np.ndarray
    skipped: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def usable(self) -> np.ndarray:
        """Bool (N,), true if the file is an image with an age and a gender."""
        return np.array([not reason for reason in self.skipped], dtype=bool)

    @property
    def skipped_by_name(self) -> dict[str, str]:
        """Reasons of the unusable files, by name."""
        return {name: reason for name, reason in zip(self.names, self.skipped, strict=True) if reason}

    @property
    def fingerprint(self) -> str:
        """Hash of the data's names and contents, independent of their location and of how they are packed."""
        digest = hashlib.sha256()
        for name, content, reason in zip(self.names, self.sha256, self.skipped, strict=True):
            digest.update(f"{name}\t{content}\t{bool(reason)}\n".encode(errors="backslashreplace"))
        return digest.hexdigest()
