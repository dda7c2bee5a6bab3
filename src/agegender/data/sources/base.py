"""Faces as a table, and the protocol of their sources."""

import hashlib
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from agegender.labels import AgeGroups


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


class FileSource(Source, Protocol):
    """A source on disk, which may hold files of labels beside the images."""

    def image_paths(self) -> dict[str, str]:
        """Return the path of each image by its name, sorted by name.

        The path begins with the folder or archive, so that any end of it may be the path in a file of labels.
        """
        ...

    def label_files(self) -> list[str]:
        """Return the paths inside the folder or archive of files that may hold labels, sorted."""
        ...

    def read_label_file(self, path: str) -> bytes:
        """Return the bytes of a file of labels.

        Raises:
            InputError: it cannot be read.
        """
        ...


@dataclass(frozen=True)
class Face:
    """The labels of a face; -1 is unknown.

    Attributes:
        age: years, 0 to 120; the youngest of several that are possible.
        gender: 0 male, 1 female.
        race: 0 to 4.
        last_age: the oldest possible age; None: `age`.
        subject: of the person, or what else must stay in one part; "" if unknown.
        part: of the official split: train, val or test; "" if there is none.
        fold: of the official cross-validation.
    """

    age: int
    gender: int
    race: int
    last_age: int | None = None
    subject: str = ""
    part: str = ""
    fold: int = -1


@dataclass(frozen=True)
class SetColumns:
    """What a file of labels may say beyond the name of an image: row i of every column is row i of the table.

    Attributes:
        last_ages: (N,) oldest possible age of each face, -1 if unknown; equal to the table's `ages` where exact.
        subjects: what must stay in one part of a split; "" if unknown.
        parts: of the official split: train, val or test; "" if there is none.
        folds: (N,) of the official cross-validation, -1 if there is none.
    """

    last_ages: np.ndarray
    subjects: tuple[str, ...]
    parts: tuple[str, ...]
    folds: np.ndarray


@dataclass(frozen=True)
class FaceTable:
    """All files of a source, skipped ones included: row i of every array is one file.

    Attributes:
        names: file names as from `Source.names`.
        ages, genders, races: (N,) as in `Face`; 0 in a skipped row.
        sha256: hash of each file's content, hexadecimal; "" for skipped files.
        clusters: (N,) number of the set of near duplicates that the image belongs to.
        skipped: the reason why a file cannot be used; "" for usable files.
        of_set: further columns, of a set whose labels are in files; None where the names hold the labels.
    """

    names: tuple[str, ...]
    ages: np.ndarray
    genders: np.ndarray
    races: np.ndarray
    sha256: tuple[str, ...]
    clusters: np.ndarray
    skipped: tuple[str, ...]
    of_set: SetColumns | None = None

    def __len__(self) -> int:
        return len(self.names)

    @property
    def usable(self) -> np.ndarray:
        """Bool (N,), true if the file is an image with labels."""
        return np.array([not reason for reason in self.skipped], dtype=bool)

    @property
    def skipped_by_name(self) -> dict[str, str]:
        """Reasons of the unusable files, by name."""
        return {name: reason for name, reason in zip(self.names, self.skipped, strict=True) if reason}

    @property
    def last_ages(self) -> np.ndarray:
        """(N,) oldest possible age of each face; `ages` where all are exact."""
        return self.ages if self.of_set is None else self.of_set.last_ages

    @property
    def years(self) -> np.ndarray:
        """(N,) exact age of each face in years, -1 where it is unknown or only a range is known."""
        return self.ages if self.of_set is None else np.where(self.ages == self.last_ages, self.ages, -1)

    def groups(self, scheme: AgeGroups) -> np.ndarray:
        """(N,) group of each face; -1 if its age is unknown, outside all groups, or a range across several."""
        if self.of_set is None:
            return scheme.of(self.ages)
        return scheme.of_spans(self.ages, self.of_set.last_ages)

    @property
    def is_complete(self) -> bool:
        """Whether every usable row has an exact age and a gender."""
        if self.of_set is None:
            return True
        usable = self.usable
        return bool((self.years[usable] >= 0).all() and (self.genders[usable] >= 0).all())

    @property
    def contents_id(self) -> str:
        """Hash of the names and contents of the files, independent of their location and of how they are packed."""
        return self._digest().hexdigest()

    @property
    def fingerprint(self) -> str:
        """Hash of the data: its names and contents, and the labels where the names do not hold them."""
        digest = self._digest()
        if self.of_set is not None:
            columns = (self.ages, self.of_set.last_ages, self.genders, self.races)
            for values in zip(*(column.tolist() for column in columns), strict=True):
                digest.update("\t".join(map(str, values)).encode() + b"\n")
        return digest.hexdigest()

    def _digest(self) -> "hashlib._Hash":
        digest = hashlib.sha256()
        for name, content, reason in zip(self.names, self.sha256, self.skipped, strict=True):
            digest.update(f"{name}\t{content}\t{bool(reason)}\n".encode(errors="backslashreplace"))
        return digest
