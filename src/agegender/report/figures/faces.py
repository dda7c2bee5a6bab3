"""Pictures of faces: samples, and the most confident mistakes. They stay on the machine that made them."""

import io
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from agegender.labels import GENDERS
from agegender.records.predictions import Predictions
from agegender.report.figures.style import INK, WIDTH, join_for_alt, one_line
from agegender.report.page.document import Figure

ReadImage = Callable[[str], np.ndarray]
Task = Literal["age", "gender"]

_PHOTO = 96  # CSS pixels, largest side
_SCALE = 2  # pixels of the picture per CSS pixel
_FONT_SIZE = 12.5  # CSS pixels, more than 9 points
_LINE = 15  # CSS pixels from one line of text to the next
_GAP = 4  # CSS pixels
_COLUMNS = 3  # of the gallery of mistakes: a caption needs a third of the width
_MAX_NAME_LENGTH = 60  # characters of a file name, three lines


class _Page:
    """A white picture; positions are in CSS pixels."""

    def __init__(self, height: float):
        self._picture = Image.new("RGB", (_SCALE * WIDTH, round(_SCALE * height)), "white")
        self._draw = ImageDraw.Draw(self._picture)

    def write(self, x: float, y: float, text: str) -> None:
        """Write a line of text with its top left corner at (x, y)."""
        self._draw.text((_SCALE * x, _SCALE * y), text, fill=INK, font=_font())

    def paste(self, x: float, y: float, photo: Image.Image) -> None:
        """Paste a photo with its top left corner at (x, y)."""
        self._picture.paste(photo, (round(_SCALE * x), round(_SCALE * y)))

    def finish(self, key: str, title: str, alt: str, skipped: int) -> Figure:
        """Render the picture; its title and its alternative text name how many images could not be read."""
        file = io.BytesIO()
        self._picture.save(file, "PNG")
        if skipped:
            unread = f"{skipped:,} image{'' if skipped == 1 else 's'} could not be read"
            title = f"{title} ({unread})"
            alt = f"{alt} {unread}."
        return Figure(key, title, alt, file.getvalue(), None, WIDTH, local=True)


@cache
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(_SCALE * _FONT_SIZE)


def _width(text: str) -> float:
    return _font().getlength(text) / _SCALE


def _photos(names: Sequence[str], read: ReadImage, side: int) -> Iterator[Image.Image | None]:
    """Read images and fit them into a square of CSS pixels; None for one that cannot be read."""
    for name in names:
        try:
            photo = Image.fromarray(read(name))
        except (OSError, ValueError):
            yield None
        else:
            yield ImageOps.contain(photo, (_SCALE * side, _SCALE * side))


def sample_faces(names_by_group: Sequence[tuple[str, Sequence[str]]], read: ReadImage, per_group: int = 5) -> Figure:
    """Draw the first images of each age group, one row per group.

    Args:
        names_by_group: a group's name, and names of images.
        read: returns the pixels of an image by its name, uint8 (H, W, 3); an image that raises ValueError or OSError
            is skipped.
        per_group: images of each group, at most.
    """
    label = 14 + max((_width(one_line(group)) for group, _ in names_by_group), default=0)
    side = min(_PHOTO, int((WIDTH - label) / max(per_group, 1)) - _GAP)
    page = _Page(max(len(names_by_group), 1) * (side + _GAP) + _GAP)
    skipped = 0
    counts = []
    for row, (group, names) in enumerate(names_by_group):
        y = _GAP + row * (side + _GAP)
        page.write(_GAP, y + (side - _LINE) / 2, one_line(group))
        photos = list(_photos(names[:per_group], read, side))
        shown = [photo for photo in photos if photo is not None]
        for column, photo in enumerate(shown):
            page.paste(label + column * (side + _GAP), y, photo)
        skipped += len(photos) - len(shown)
        counts.append(f"{one_line(group)}: {len(shown)}")
    alt = f"Photos, a row for each age group: {join_for_alt(counts)}."
    return page.finish("sample-faces", "Sample faces of each age group", alt, skipped)


def confident_mistakes(predictions: Predictions, task: Task, number: int) -> np.ndarray:
    """Find the most confident of the wrong predictions.

    Args:
        predictions: of N images.
        task: `age` or `gender`.
        number: how many, at most.

    Returns:
        int64 rows, highest probability of the predicted class first; equal ones in their order.
    """
    true, predicted, probability = _of_task(predictions, task)
    wrong = np.flatnonzero(true != predicted)
    return wrong[np.argsort(-probability[wrong], kind="stable")][:number]


def _of_task(predictions: Predictions, task: Task) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return true class, predicted class, and the probability of the predicted one, (N,) each."""
    true, predicted, probabilities = {
        "age": (predictions.group, predictions.group_predicted, predictions.p_group),
        "gender": (predictions.gender, predictions.gender_predicted, predictions.p_gender),
    }[task]
    return true, predicted, np.take_along_axis(probabilities, predicted[:, None], axis=1)[:, 0]


def mistakes(predictions: Predictions, task: Task, read: ReadImage, number: int = 24) -> Figure:
    """Draw the most confident of the wrong predictions; among them are wrong labels.

    Args:
        predictions: of a run.
        task: `age` or `gender`.
        read: as for `sample_faces`.
        number: how many, at most.
    """
    rows = confident_mistakes(predictions, task, number)
    names = [one_line(name) for name in (predictions.groups if task == "age" else GENDERS)]
    true, predicted, probability = _of_task(predictions, task)
    files = [str(predictions.images[row]) for row in rows]
    tiles: list[tuple[Image.Image, list[str]]] = []
    captions = []
    for row, file, photo in zip(rows, files, _photos(files, read, _PHOTO), strict=True):
        if photo is not None:
            predicted_as = f"predicted {names[predicted[row]]}, {_percent(float(probability[row]))} %"
            file_lines = _break_name(file, WIDTH / _COLUMNS - 2 * _GAP)
            tiles.append((photo, [f"true {names[true[row]]}", predicted_as, *file_lines]))
            captions.append(f"{one_line(file)}: true {names[true[row]]}, {predicted_as}")
    alt = f"Photos of the {len(tiles)} wrong predictions of the highest probability: {join_for_alt(captions)}."
    page = _tiled(tiles)
    return page.finish(f"mistakes-{task}", f"The most confident mistakes: {task}", alt, len(rows) - len(tiles))


def _tiled(tiles: Sequence[tuple[Image.Image, list[str]]]) -> _Page:
    """Arrange photos in rows, with their captions below them."""
    heights = [
        _PHOTO + max(len(lines) for _, lines in tiles[start : start + _COLUMNS]) * _LINE + 4 * _GAP
        for start in range(0, len(tiles), _COLUMNS)
    ]
    page = _Page(sum(heights) + _GAP if tiles else _LINE + 2 * _GAP)
    if not tiles:
        page.write(_GAP, _GAP, "none")
    for at, (photo, lines) in enumerate(tiles):
        x = _GAP + at % _COLUMNS * WIDTH / _COLUMNS
        y = _GAP + sum(heights[: at // _COLUMNS])
        page.paste(x, y, photo)
        for number, line in enumerate(lines):
            page.write(x, y + _PHOTO + 2 + number * _LINE, line)
    return page


def _percent(share: float) -> str:
    """Round down to one decimal, so that only a probability of 1 is shown as 100."""
    return f"{np.floor(np.float64(share) * 1000) / 10:.1f}"


def _break_name(name: str, width: float) -> list[str]:
    """Break a file name, which may have no spaces, into lines no wider than `width`; a long one keeps its end."""
    name = one_line(name)
    if len(name) > _MAX_NAME_LENGTH:
        name = "..." + name[-_MAX_NAME_LENGTH + 3 :]
    lines = [""]
    for letter in name:
        if _width(lines[-1] + letter) > width:
            lines.append("")
        lines[-1] += letter
    return lines
