"""Confusion matrix: the share and the number of images of each true class that are predicted in each class."""

from collections.abc import Sequence

import numpy as np

from agegender.report.figures.style import FONT, INK, SMALL, canvas, finish, join_for_alt, one_line, text_width
from agegender.report.page.document import Figure


def confusion_matrix(matrix: np.ndarray, names: Sequence[str], key: str, title: str) -> Figure:
    """Draw which class the images of each class are predicted in.

    Args:
        matrix: int (C, C) images, true classes in rows.
        names: (C,).
        key: of the figure.
        title: of the figure.
    """
    from matplotlib.colors import LinearSegmentedColormap

    num_classes = len(names)
    names = [one_line(name) for name in names]
    total = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, total, out=np.zeros(matrix.shape), where=total > 0)
    longest = max((text_width(name) for name in names), default=0.0)
    left = round(longest) + 34
    cell = min(90, max(40, 320 // max(num_classes, 1)))
    vertical = longest > cell
    side = cell * num_classes
    below = 44 + (round(longest) - 10 if vertical else 0)
    width = left + side + 12
    height = side + below + 8
    with canvas(height, width) as figure:
        axes = figure.add_axes((left / width, below / height, side / width, side / height))
        colours = LinearSegmentedColormap.from_list("blue", ["#ffffff", "#7fb8d8", "#00426a"])
        axes.pcolormesh(shares, cmap=colours, vmin=0, vmax=1, edgecolors="#e8e8e8", linewidth=0.6)
        axes.invert_yaxis()
        axes.grid(visible=False)
        axes.tick_params(length=0)
        axes.set_xticks(np.arange(num_classes) + 0.5, names, rotation=90 if vertical else 0)
        axes.set_yticks(np.arange(num_classes) + 0.5, names)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        for (row, column), share in np.ndenumerate(shares):
            ink = "white" if share > 0.75 else INK  # a contrast of 4 or more for either
            percent = f"{100 * share:.1f}" if total[row, 0] else "-"
            axes.text(column + 0.5, row + 0.5 - 8 / cell, percent, color=ink, ha="center", va="center", fontsize=FONT)
            count = f"{matrix[row, column]:,}"
            axes.text(column + 0.5, row + 0.5 + 8 / cell, count, color=ink, ha="center", va="center", fontsize=SMALL)
        correct = [f"{name}: {100 * shares[at, at]:.1f} % of {total[at, 0]:,}" for at, name in enumerate(names)]
        return finish(figure, key, title, f"Percent and number of images. Predicted right: {join_for_alt(correct)}.")
