"""A source whose labels come from files: each row of them finds its image, and its face is cut out if it has a box."""

import hashlib
import logging
import math
import unicodedata
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np

from agegender.data.images import decode
from agegender.data.sources.base import Face, FileSource
from agegender.data.sources.face_labels import Box, LabelRow, Labels
from agegender.system.errors import InputError

BOX_MARK = "#"  # between the name of an image and a box in it

log = logging.getLogger(__name__)


class _Entry(NamedTuple):
    """A row of labels, and the name of its image; None if there is no such file."""

    row: LabelRow
    image: str | None


class LabelledSource:
    """The faces that labels list, in the files of another source.

    A face's name is that of its image, as the other source has it; with a box, `image#x0,y0,x1,y1`. Images that are not
    listed are left out.

    Args:
        source: the files.
        labels: of the faces.
        margin: share of a box's width and height to add on each of its sides.

    Raises:
        InputError: no listed image is there, or one is there several times.
    """

    def __init__(self, source: FileSource, labels: Labels, *, margin: float) -> None:
        self.label = source.label
        self._source = source
        self._labels = labels
        self._margin = margin
        names = _Finder(source).names_of([row.image for row in labels.rows])
        self._entries: dict[str, _Entry] = {}
        for row, name in zip(labels.rows, names, strict=True):
            face = _face_name(name if name is not None else row.image, row.box)
            other = self._entries.setdefault(face, _Entry(row, name)).row
            if other is not row:
                raise InputError(
                    f"{row.where} and {other.where}: {row.image} and {other.image} are one file, {face}; keep one row"
                )
        self._num_absent = sum(name is None for name in names)
        if self._num_absent == len(names):
            raise InputError(
                f"{labels.name} lists {len(names):,} images, but none of them is in {source.label}, "
                f"{labels.rows[0].image!r} first; set data.root to the folder or archive of these images"
            )

    def names(self) -> list[str]:
        return sorted(self._entries)

    def signature(self) -> str:
        text = f"{self._source.signature()}\t{self._labels.digest}\t{self._margin}"
        return hashlib.sha256(text.encode()).hexdigest()

    def read(self, name: str) -> bytes:
        """Return the file's bytes, or those of the cut-out face, as a PPM image."""
        entry = self._entries[name]
        assert entry.image is not None, "a face without a file is not read"
        content = self._source.read(entry.image)
        return content if entry.row.box is None else _ppm(crop(decode(content), entry.row.box, self._margin))

    def face(self, name: str) -> Face:
        """Return the labels of a face.

        Raises:
            ValueError: its image is missing; the message is the reason alone.
        """
        row, image = self._entries[name]
        if image is None:
            raise ValueError(f"listed ({row.where}), but the file is missing")
        return Face(row.first_age, row.gender, row.race, row.last_age, row.subject, row.part, row.fold)

    def describe(self) -> dict[str, object]:
        """Return what became of the rows and files, for the record."""
        used = {entry.image for entry in self._entries.values()}
        return {
            "name": self._labels.name,
            "faces": len(self._entries),
            "missing_files": self._num_absent,
            "unlisted_files": len(set(self._source.names()) - used),
            **{f"{reason}_rows": number for reason, number in self._labels.counts.items()},
        }


def _face_name(image: str, box: Box | None) -> str:
    return image if box is None else f"{image}{BOX_MARK}{','.join(map(str, box))}"


class _Finder:
    """Finds images by their paths in files of labels, which may begin above or below the root."""

    def __init__(self, source: FileSource) -> None:
        self._label = source.label
        self._names: dict[str, list[tuple[str, str]]] = {}  # by the last part of the path
        for name, path in source.image_paths().items():
            self._names.setdefault(PurePosixPath(path).name, []).append((f"/{path.lstrip('/')}", name))
        self._folded: dict[str, list[tuple[str, str]]] | None = None

    def names_of(self, images: list[str]) -> list[str | None]:
        """Return the name of each image; None if there is no such file.

        Raises:
            InputError: several files fit one path.
        """
        return [self._name_of(image.removeprefix("./").lstrip("/")) for image in images]

    def _name_of(self, image: str) -> str | None:
        last = PurePosixPath(image).name
        fitting = [name for path, name in self._names.get(last, ()) if path.endswith(f"/{image}")]
        if not fitting:  # other spellings of the same letters, as file systems make them
            folded = _fold(image)
            candidates = self._by_folded_name().get(PurePosixPath(folded).name, ())
            fitting = [name for path, name in candidates if _fold(path).endswith(f"/{folded}")]
        if len(fitting) > 1:
            exact = [name for name in fitting if name == image]
            if len(exact) != 1:
                raise InputError(
                    f"{image} fits {len(fitting)} files of {self._label}, {fitting[0]} and {fitting[1]}; set data.root "
                    "to the folder that holds the right ones"
                )
            return image
        return fitting[0] if fitting else None

    def _by_folded_name(self) -> dict[str, list[tuple[str, str]]]:
        if self._folded is None:
            self._folded = {}
            for last, found in self._names.items():
                self._folded.setdefault(_fold(last), []).extend(found)
        return self._folded


def _fold(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


def crop(pixels: np.ndarray, box: Box, margin: float) -> np.ndarray:
    """Cut a face out.

    Args:
        pixels: uint8 (H, W, 3).
        box: of the face; it may reach beyond the image.
        margin: share of its width and height to add on each side, as far as the image goes.

    Returns:
        uint8 (h, w, 3).

    Raises:
        ValueError: the box is outside the image; the message is the reason alone.
    """
    height, width = pixels.shape[:2]
    across = margin * (box.x1 - box.x0)
    down = margin * (box.y1 - box.y0)
    left = max(math.floor(box.x0 - across), 0)
    top = max(math.floor(box.y0 - down), 0)
    face = pixels[top : max(math.ceil(box.y1 + down), 0), left : max(math.ceil(box.x1 + across), 0)]
    if not face.size:
        raise ValueError(f"the box {', '.join(map(str, box))} is outside the image of {width} x {height} pixels")
    return face


def _ppm(pixels: np.ndarray) -> bytes:
    height, width = pixels.shape[:2]
    return f"P6\n{width} {height}\n255\n".encode() + np.ascontiguousarray(pixels).tobytes()
