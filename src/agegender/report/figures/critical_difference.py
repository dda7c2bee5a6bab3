"""Critical difference diagram: mean ranks over splits, and which of them do not differ; Demšar 2006, figure 1."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from agegender.report.figures.style import (
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
    wrap,
)
from agegender.report.page.document import Figure
from agegender.report.statistics.significance import Ranks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LABEL_WIDTH = 128  # pixels of a label beside the axis
_AXIS_Y = 56  # pixels from the top to the axis of the ranks


def connected_ranks(mean_ranks: np.ndarray, critical_difference: float) -> list[tuple[float, float]]:
    """Find the largest groups of ranks in which no two differ by the critical difference.

    Args:
        mean_ranks: (K,), in any order.
        critical_difference: of two mean ranks.

    Returns:
        Lowest and highest rank of each group of two or more, ordered by the lowest.
    """
    ranks = np.sort(mean_ranks)
    found = []
    for start, low in enumerate(ranks):
        end = int(np.flatnonzero(ranks - low < critical_difference)[-1])
        if end > start and (not found or ranks[end] > found[-1][1]):
            found.append((float(low), float(ranks[end])))
    return found


def critical_difference_diagram(labels: Sequence[str], ranks: Ranks, key: str, title: str) -> Figure:
    """Draw mean ranks on an axis; a bar joins configurations that do not differ significantly.

    Args:
        labels: (K,), as in `ranks`.
        ranks: of K configurations.
        key: of the figure.
        title: of the figure.
    """
    order = np.argsort(ranks.mean_ranks, kind="stable")
    sorted_ranks = ranks.mean_ranks[order]
    num_ranks = len(order)
    names = [wrap(labels[int(at)], _LABEL_WIDTH) for at in order]
    groups = connected_ranks(sorted_ranks, ranks.critical_difference)
    half = (num_ranks + 1) // 2
    sides = (range(half), range(num_ranks - 1, half - 1, -1))  # left and right, from the top down
    margins = [16 + max((text_width(line) for at in side for line in names[at]), default=8) for side in sides]
    first = _AXIS_Y + 18 + 7 * len(groups)
    last = first + max(sum(len(names[at]) * LINE + 6 for at in side) for side in sides)
    with canvas(last + 2 * LINE + 6) as figure:
        axes = sketch_area(figure)
        scale = (WIDTH - margins[0] - margins[1]) / max(num_ranks - 1, 1)
        places = margins[0] + (sorted_ranks - 1) * scale
        _draw_rank_axis(axes, margins[0], scale, ranks, groups)
        for side, end, gap, align in (
            (sides[0], margins[0] - 8, -4, "right"),
            (sides[1], WIDTH - margins[1] + 8, 4, "left"),
        ):
            y = first
            for at in side:
                middle = y + len(names[at]) * LINE / 2
                axes.plot([places[at], places[at], end], [_AXIS_Y, middle, middle], color=INK, linewidth=0.9)
                axes.text(end + gap, middle, "\n".join(names[at]), ha=align, va="center")
                y += len(names[at]) * LINE + 6
        test = f"Friedman's test: p = {ranks.p_value:.2g}, {ranks.num_blocks} seeds or folds"
        axes.text(4, last + 6, f"Mean ranks, 1 is best\n{test}", va="top")
        mean_ranks = [f"{one_line(labels[int(at)])}: {ranks.mean_ranks[at]:.2f}" for at in order]
        difference = f"Critical difference {ranks.critical_difference:.2f}"
        alt = f"Mean ranks, 1 is best: {join_for_alt(mean_ranks)}. {difference}. {test}."
        return finish(figure, key, title, alt)


def _draw_rank_axis(axes: "Axes", left: float, scale: float, ranks: Ranks, groups: list[tuple[float, float]]) -> None:
    """Draw the axis, the critical difference to scale above it, and a bar for each group below it."""
    num_ranks = len(ranks.mean_ranks)
    difference = ranks.critical_difference
    axes.plot([left, left + (num_ranks - 1) * scale], [_AXIS_Y, _AXIS_Y], color=INK, linewidth=0.9)
    label_every = math.ceil(text_width("00 ") / max(scale, 1))
    for rank in range(1, num_ranks + 1):
        x = left + (rank - 1) * scale
        axes.plot([x, x], [_AXIS_Y - 5, _AXIS_Y], color=INK, linewidth=0.9)
        if (rank - 1) % label_every == 0:
            axes.text(x, _AXIS_Y - 7, f"{rank}", ha="center", va="bottom")
    end = left + min(difference, num_ranks - 1) * scale
    axes.plot([left, left, left, end, end, end], [21, 29, 25, 25, 21, 29], color=PALETTE[1], linewidth=1.4)
    axes.text(left, 10, f"critical difference {difference:.2f}", va="center")
    for level, (low, high) in enumerate(groups):
        ends = [left + (low - 1) * scale - 3, left + (high - 1) * scale + 3]
        y = _AXIS_Y + 10 + 7 * level
        axes.plot(ends, [y, y], color=PALETTE[1], linewidth=3, solid_capstyle="butt")
