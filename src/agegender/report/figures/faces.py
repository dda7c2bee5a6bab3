"""Pictures of faces: samples, and the mistakes that a model is surest of. They stay on the machine that made them."""

import io
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from agegender.labels import GENDERS
from agegender.records.predictions import Predictions
from agegender.report.figures.style import INK, WIDTH, listing, plain
from agegender.report.page.document import Figure

Read = Callable[[str], np.ndarray]
Task = Literal["age", "gender"]

_PHOTO = 96  # CSS pixels, at most
_SCALE = 2  # pixels of the picture in a CSS pixel
_TYPE = 12.5  # CSS pixels: more than 9 points
_LINE = 15  # CSS pixels from one line of type to the next
_GAP = 4  # CSS pixels
_COLUMNS = 3  # of mistakes: a caption needs a third of the width
_LONGEST_NAME = 60  # letters of a file name: three lines


class _Page:
    """A white picture; places are given in CSS pixels."""

    def __init__(self, height: float):
        self._picture = Image.new("RGB", (_SCALE * WIDTH, round(_SCALE * height)), "white")
        self._draw = ImageDraw.Draw(self._picture)

    def write(self, x: float, y: float, text: str) -> None:
        """Write a line, the top left at (x, y)."""
        self._draw.text((_SCALE * x, _SCALE * y), text, fill=INK, font=_font())

    def paste(self, x: float, y: float, photo: Image.Image) -> None:
        """Put a photo, the top left at (x, y)."""
        self._picture.paste(photo, (round(_SCALE * x), round(_SCALE * y)))

    def finish(self, key: str, title: str, alt: str, skipped: int) -> Figure:
        """Render it, and tell what could not be read."""
        left_out = f"{skipped:,} image{'' if skipped == 1 else 's'} could not be read" if skipped else ""
        file = io.BytesIO()
        self._picture.save(file, "PNG")
        title, alt = (f"{title} ({left_out})", f"{alt} {left_out}.") if skipped else (title, alt)
        return Figure(key, title, alt, file.getvalue(), None, WIDTH, local=True)


@cache
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(_SCALE * _TYPE)


def _width(text: str) -> float:
    return _font().getlength(text) / _SCALE


def _photos(names: Sequence[str], read: Read, side: int) -> Iterator[Image.Image | None]:
    """Read images and fit them into a square of CSS pixels; None for one that cannot be read."""
    for name in names:
        try:
            photo = Image.fromarray(read(name))
        except (OSError, ValueError):
            yield None
        else:
            yield ImageOps.contain(photo, (_SCALE * side, _SCALE * side))


def sample_faces(names_by_group: Sequence[tuple[str, Sequence[str]]], read: Read, per_group: int = 5) -> Figure:
    """Show the first images of each age group, a row each.

    Args:
        names_by_group: a group's name, and names of images.
        read: gives the pixels of an image by its name, uint8 (H, W, 3); ValueError or OSError: it is skipped.
        per_group: images of each group, at most.
    """
    label = 14 + max((_width(plain(group)) for group, _ in names_by_group), default=0)
    side = min(_PHOTO, int((WIDTH - label) / max(per_group, 1)) - _GAP)
    page, skipped, told = _Page(max(len(names_by_group), 1) * (side + _GAP) + _GAP), 0, []
    for row, (group, names) in enumerate(names_by_group):
        y = _GAP + row * (side + _GAP)
        page.write(_GAP, y + (side - _LINE) / 2, plain(group))
        photos = list(_photos(names[:per_group], read, side))
        shown = [photo for photo in photos if photo is not None]
        for column, photo in enumerate(shown):
            page.paste(label + column * (side + _GAP), y, photo)
        skipped += len(photos) - len(shown)
        told.append(f"{plain(group)}: {len(shown)}")
    alt = f"Photos, a row for each age group: {listing(told)}."
    return page.finish("sample-faces", "Sample faces of each age group", alt, skipped)


def confident_mistakes(predictions: Predictions, task: Task, number: int) -> np.ndarray:
    """Find the wrong predictions that the model is surest of.

    Args:
        predictions: of N images.
        task: `age` or `gender`.
        number: how many, at most.

    Returns:
        int64 rows, highest probability of the predicted class first; equal ones as they stand.
    """
    true, predicted, probability = _of_task(predictions, task)
    wrong = np.flatnonzero(true != predicted)
    return wrong[np.argsort(-probability[wrong], kind="stable")][:number]


def _of_task(predictions: Predictions, task: Task) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give true class, predicted class, and the probability of the latter, (N,) each."""
    true, predicted, probabilities = {
        "age": (predictions.group, predictions.group_predicted, predictions.p_group),
        "gender": (predictions.gender, predictions.gender_predicted, predictions.p_gender),
    }[task]
    return true, predicted, np.take_along_axis(probabilities, predicted[:, None], axis=1)[:, 0]


def mistakes(predictions: Predictions, task: Task, read: Read, number: int = 24) -> Figure:
    """Show the wrong predictions that the model is surest of: among them are wrong labels.

    Args:
        predictions: of a run.
        task: `age` or `gender`.
        read: as for `sample_faces`.
        number: how many, at most.
    """
    rows = confident_mistakes(predictions, task, number)
    names = [plain(name) for name in (predictions.groups if task == "age" else GENDERS)]
    true, predicted, probability = _of_task(predictions, task)
    files = [str(predictions.images[row]) for row in rows]
    tiles: list[tuple[Image.Image, list[str]]] = []
    told = []
    for row, file, photo in zip(rows, files, _photos(files, read, _PHOTO), strict=True):
        if photo is not None:
            said = f"said {names[predicted[row]]}, {_percent(float(probability[row]))} %"
            tiles.append((photo, [f"true {names[true[row]]}", said, *_broken(file, WIDTH / _COLUMNS - 2 * _GAP)]))
            told.append(f"{plain(file)}: true {names[true[row]]}, {said}")
    alt = f"Photos of the {len(tiles)} wrong predictions of the highest probability: {listing(told)}."
    page = _tiled(tiles)
    return page.finish(f"mistakes-{task}", f"The most confident mistakes: {task}", alt, len(rows) - len(tiles))


def _tiled(tiles: Sequence[tuple[Image.Image, list[str]]]) -> _Page:
    """Put photos in rows, their captions below them."""
    heights = [
        _PHOTO + max(len(lines) for _, lines in tiles[start : start + _COLUMNS]) * _LINE + 4 * _GAP
        for start in range(0, len(tiles), _COLUMNS)
    ]
    page = _Page(sum(heights) + _GAP if tiles else _LINE + 2 * _GAP)
    if not tiles:
        page.write(_GAP, _GAP, "none")
    for at, (photo, lines) in enumerate(tiles):
        x, y = _GAP + at % _COLUMNS * WIDTH / _COLUMNS, _GAP + sum(heights[: at // _COLUMNS])
        page.paste(x, y, photo)
        for number, line in enumerate(lines):
            page.write(x, y + _PHOTO + 2 + number * _LINE, line)
    return page


def _percent(share: float) -> str:
    """Round down to one decimal: 100 means that there is no doubt at all."""
    return f"{np.floor(np.float64(share) * 1000) / 10:.1f}"


def _broken(name: str, width: float) -> list[str]:
    """Break a file name, which has no spaces, into lines of at most a width; of a long one the end is kept."""
    name = plain(name)
    if len(name) > _LONGEST_NAME:
        name = "..." + name[-_LONGEST_NAME + 3 :]
    lines = [""]
    for letter in name:
        if _width(lines[-1] + letter) > width:
            lines.append("")
        lines[-1] += letter
    return lines
