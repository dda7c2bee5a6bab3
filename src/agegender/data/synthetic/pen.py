"""Drawing shapes on an image through the pose of a head.

Lengths are in half head heights, with the origin in the middle of the head, x to the right and y down.
"""

import math
from functools import cache

import numpy as np
from PIL import Image, ImageDraw

from agegender.data.synthetic.traits import Color

Shape = np.ndarray  # points (n, 2)
YAW_SHIFT = 0.12  # how far a head turned by 1 moves its nose to the side


class Pen:
    """Draws shapes, given in half head heights, onto an image through the pose of the head.

    Args:
        picture: RGB, or grey for `shade`.
        pose: rotation in radians, yaw from -1 to 1, then half the head's height, x and y as shares of the image's side.
        width: half the width of the head.
    """

    def __init__(self, picture: Image.Image, pose: np.ndarray, width: float) -> None:
        self._draw = ImageDraw.Draw(picture, "RGBA" if picture.mode == "RGB" else None)
        angle, yaw, size, x, y = pose.tolist()
        self._unit = size * picture.width
        cos = math.cos(angle) * self._unit
        sin = math.sin(angle) * self._unit
        self._turn = np.array([[cos, sin], [-sin, cos]])
        self._middle = np.array([x, y]) * picture.width
        self._shift = YAW_SHIFT * yaw
        self._width = width

    def _place(self, shape: Shape) -> list[float]:
        across = shape[:, 0]
        points = shape.copy()
        # A turned head keeps its outline; points inside move to the side.
        points[:, 0] += self._shift * np.maximum(1 - (across / self._width) ** 2, 0)
        return (points @ self._turn + self._middle).ravel().tolist()

    def fill(self, shape: Shape, color: Color, opacity: float = 1.0) -> None:
        """Fill a polygon."""
        self._draw.polygon(self._place(shape), fill=(*color, round(255 * min(max(opacity, 0.0), 1.0))))

    def shade(self, shape: Shape, level: float) -> None:
        """Fill a polygon of a grey image with a brightness from -1 to 1; 0 is medium grey."""
        self._draw.polygon(self._place(shape), fill=round(min(max(128 + 127 * level, 0), 255)))

    def line(self, shape: Shape, width: float, color: Color, opacity: float = 1.0) -> None:
        """Draw an open line."""
        fill = (*color, round(255 * min(max(opacity, 0.0), 1.0)))
        self._draw.line(self._place(shape), fill=fill, width=max(1, round(width * self._unit)), joint="curve")


@cache
def _circle(count: int) -> Shape:
    angle = np.linspace(0, 2 * math.pi, count, endpoint=False)
    return np.column_stack((np.cos(angle), np.sin(angle)))


@cache
def _parabola(count: int) -> Shape:
    across = np.linspace(-1, 1, count)
    return np.column_stack((across, 1 - across**2))


def oval(x: float, y: float, width: float, height: float, count: int = 20) -> Shape:
    """Return an ellipse around (x, y)."""
    return _circle(count) * (width, height) + np.array((x, y))


def arc(x: float, y: float, width: float, bend: float, count: int = 9) -> Shape:
    """Return an open curve from `width` left of (x, y) to `width` right of it; its middle is `bend` below its ends."""
    return _parabola(count) * (width, bend) + np.array((x, y))
