"""Diagram of a network: the height of a box shows the size of its feature maps, the width its number of channels."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from agegender.report.figures.style import (
    GREY,
    INK,
    LINE,
    PALETTE,
    WIDTH,
    canvas,
    finish,
    join_for_alt,
    one_line,
    sketch_area,
    text_width,
    truncate,
)
from agegender.report.page.document import Figure

_MAX_BOXES = 16  # more are hard to take in
_COLOURS = (("Conv", PALETTE[0]), ("Linear", PALETTE[1]), ("Pool", PALETTE[2]))
_TEXT_X = 138  # pixels from the left edge to the text, right of the widest box
_GAP = 10  # pixels between boxes, room for the arrow


@dataclass(frozen=True)
class Layer:
    """A layer in the order of the forward pass.

    Attributes:
        name: of the module within the model.
        kind: name of its class, such as Conv2d.
        output: its shape without the batch: (C, H, W) or (C,).
        num_params: its own.
        macs: multiply-accumulates for one image.
    """

    name: str
    kind: str
    output: tuple[int, ...]
    num_params: int
    macs: int


@dataclass(frozen=True)
class Box:
    """One or more layers, drawn as one box.

    Attributes:
        kinds: such as `Conv2d` or `4 x Conv2d, 4 x BatchNorm2d`.
        channels: fewest and most.
        sides: height and width, or nothing.
        num_params, macs: sums.
    """

    kinds: str
    channels: tuple[int, int]
    sides: tuple[int, ...]
    num_params: int
    macs: int

    @property
    def shape(self) -> str:
        """Shape of the output, as text."""
        low, high = self.channels
        return " x ".join([f"{low}" if low == high else f"{low}-{high}", *map(str, self.sides)])


def boxes(layers: Sequence[Layer]) -> list[Box]:
    """Group the layers that have parameters or pool into boxes.

    Where there are too many, consecutive layers of the same output shape share a box; where there are still too many,
    as in a DenseNet, those with feature maps of the same size.
    """
    drawn = [layer for layer in layers if layer.num_params > 0 or "Pool" in layer.kind]
    found = [_box([layer]) for layer in drawn]
    groupings: tuple[Callable[[Layer], object], ...] = (lambda layer: layer.output, lambda layer: layer.output[1:])
    for grouping in groupings:
        if len(found) > _MAX_BOXES:
            found = [_box(list(group)) for _, group in groupby(drawn, key=grouping)]
    return found


def _box(layers: Sequence[Layer]) -> Box:
    kinds = Counter(one_line(layer.kind) for layer in layers)
    channels = [layer.output[0] if layer.output else 1 for layer in layers]
    return Box(
        ", ".join(kind if number == 1 else f"{number} x {kind}" for kind, number in kinds.items()),
        (min(channels), max(channels)),
        layers[0].output[1:],
        sum(layer.num_params for layer in layers),
        sum(layer.macs for layer in layers),
    )


def network_diagram(layers: Sequence[Layer], key: str, title: str) -> Figure:
    """Draw a network from top to bottom.

    Args:
        layers: in the order of the forward pass.
        key: of the figure.
        title: of the figure.
    """
    from matplotlib.patches import Rectangle

    found = boxes(layers)
    texts = [[*_lines(box.kinds), box.shape, _cost(box)] for box in found]
    rows = [max(_height(box), len(text) * LINE + 4) + _GAP for box, text in zip(found, texts, strict=True)]
    with canvas(max(sum(rows), LINE) + 12) as figure:
        axes = sketch_area(figure)
        top = 6.0
        previous_bottom = None
        for box, text, row in zip(found, texts, rows, strict=True):
            middle = top + (row - _GAP) / 2
            height = _height(box)
            width = _width(box)
            corner = (_TEXT_X / 2 - 6 - width / 2, middle - height / 2)
            colour = next((colour for part, colour in _COLOURS if part in box.kinds), GREY)
            axes.add_patch(Rectangle(corner, width, height, facecolor=colour, edgecolor=INK, linewidth=0.6))
            if previous_bottom is not None:
                axes.annotate(
                    "",
                    (_TEXT_X / 2 - 6, corner[1]),
                    (_TEXT_X / 2 - 6, previous_bottom),
                    arrowprops={"arrowstyle": "-|>", "color": GREY, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0},
                )
            *kinds, shape, cost = text
            axes.text(_TEXT_X, middle, "\n".join([*kinds, shape, cost]), va="center", linespacing=1.25)
            previous_bottom = corner[1] + height
            top += row
        steps = [f"{box.kinds} to {box.shape}" for box in found]
        num_params = sum(layer.num_params for layer in layers)
        alt = f"{len(layers)} layers, {num_params:,} parameters: {join_for_alt(steps, 40)}."
        return finish(figure, key, title, alt)


def _lines(kinds: str) -> list[str]:
    """Return the kinds in one line, or in one line each where that is too long."""
    return (
        [kinds] if text_width(kinds) <= WIDTH - _TEXT_X else [truncate(k, WIDTH - _TEXT_X) for k in kinds.split(", ")]
    )


def _height(box: Box) -> float:
    return 8 + 6 * math.log2(max(box.sides, default=1))  # 56 pixels for maps of 256 x 256


def _width(box: Box) -> float:
    return min(124, 8 + 9 * math.log2(max(box.channels[1], 1)))  # 116 pixels for 4,096 channels


def _cost(box: Box) -> str:
    parts = [f"{_short(box.num_params)} parameters"] if box.num_params else []
    return ", ".join([*parts, f"{_short(box.macs)} MACs"] if box.macs else parts)


def _short(number: int) -> str:
    """Round to three significant digits, such as 11.2 M."""
    value = float(f"{number:.3g}")
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.0f}"
