"""Faces as a table, and the protocol of whatever provides them."""

import hashlib
from dataclasses import dataclass
from typing import Protocol

import numpy as np


class Source(Protocol):
    """A collection of named image files. Implementations: `utkface.FolderSource`, `TarSource`, `ZipSource`.

    Attributes:
        label: what a person calls it, for tables: "UTKFace.tar", "6,000 synthetic faces, seed 0".
    """

    label: str

    def names(self) -> list[str]:
        """List the image files, sorted, with the directory that all share removed.

        Raises:
            InputError: the place cannot be read, or is a broken archive.
        """
        ...

    def signature(self) -> str:
        """Tell cheaply, without reading an image, whether the files are still the ones that were scanned."""
        ...

    def read(self, name: str) -> bytes:
        """Give one file's bytes; several threads may call it at once."""
        ...


@dataclass(frozen=True)
class Face:
    """What a file name tells.

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
    """All files of a source, those that were skipped included: row i of every array is one file.

    Attributes:
        names: file names as `Source.names` gives them.
        ages, genders, races: (N,) as in `Face`; 0 in a skipped row.
        sha256: content of each file, hexadecimal; "" where the file was not read.
        clusters: (N,) id of the set of near duplicates that the image belongs to.
        skipped: the reason for each file that cannot be used, "" for those that can.
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
        """(N,) True where the file is a face with an age and a gender."""
        return np.array([not reason for reason in self.skipped], dtype=bool)

    @property
    def skipped_by_name(self) -> dict[str, str]:
        """The reason of each file that cannot be used."""
        return {name: reason for name, reason in zip(self.names, self.skipped, strict=True) if reason}

    @property
    def fingerprint(self) -> str:
        """Identity of the data: names and contents, wherever they lie and however they are packed."""
        digest = hashlib.sha256()
        for name, content, reason in zip(self.names, self.sha256, self.skipped, strict=True):
            digest.update(f"{name}\t{content}\t{bool(reason)}\n".encode(errors="backslashreplace"))
        return digest.hexdigest()
