"""Histogram of the ages of a data set, with the borders of its age groups."""

from collections.abc import Sequence

import numpy as np

from agegender.report.figures.style import (
    GREY,
    PALETTE,
    WIDTH,
    canvas,
    finish,
    join_for_alt,
    one_line,
    plot_area,
    text_width,
)
from agegender.report.page.document import Figure

_PLOT_HEIGHT = 300  # pixels


def age_distribution(
    age_counts: Sequence[int], group_edges: Sequence[int], group_names: Sequence[str], title: str
) -> Figure:
    """Draw how many images there are of each year of age.

    Args:
        age_counts: (A,) number of images of each age in years, from 0 on.
        group_edges: (G,) first age of each group, ascending.
        group_names: (G,).
        title: of the figure.
    """
    counts = np.asarray(age_counts, dtype=np.int64)
    oldest = int(np.flatnonzero(counts)[-1]) if counts.any() else 0
    last = max(oldest, *(edge + 5 for edge in group_edges)) if group_edges else oldest
    ends = [*group_edges[1:], last + 1]
    groups = list(zip(map(one_line, group_names), group_edges, ends, strict=True)) if group_edges else []
    with canvas(_PLOT_HEIGHT) as figure:
        top_margin = 34 + max((text_width(name) for name, _, _ in groups), default=0)
        axes = plot_area(figure, "age, years", "images per year of age", top=top_margin)
        axes.bar(np.arange(len(counts)), counts, width=0.85, color=PALETTE[0], linewidth=0)
        axes.set_xlim(-0.6, last + 0.6)
        axes.set_ylim(0, 1.03 * max(counts.max(initial=0), 1))
        axes.grid(visible=False, axis="x")
        above_plot = axes.get_xaxis_transform()  # x in years, y as a share of the height
        middle = -last
        for name, first, end in groups:
            axes.axvline(first - 0.5, color=GREY, linewidth=0.8, linestyle=(0, (3, 2)))
            middle = max((first + end - 1) / 2, middle + (last + 1) * 13 / (WIDTH - 66))  # no closer than 13 pixels
            axes.text(middle, 1.02, name, transform=above_plot, rotation=90, ha="center", va="bottom")
        sums = [f"{name}: {counts[first:end].sum():,}" for name, first, end in groups]
        most = f", most at {int(counts.argmax())} years" if counts.any() else ""
        alt = f"{counts.sum():,} images by year of age{most}. Images by group: {join_for_alt(sums)}."
        return finish(figure, "age-distribution", title, alt)
