"""Interval plot: values with their intervals, one below the other."""

from collections.abc import Sequence

from agegender.report.figures.style import (
    GREY,
    PALETTE,
    WIDTH,
    LineStyle,
    canvas,
    finish,
    join_for_alt,
    legend,
    legend_height,
    one_line,
    sample_line,
    text_width,
    truncate,
)
from agegender.report.page.document import Figure

# Label, value, the ends of its 95 % interval if any, mark as in a Cell.
Interval = tuple[str, float, float | None, float | None, str]
_MARKS = {
    "best": ("D", PALETTE[2], "highest"),
    "tied": ("o", PALETTE[0], "not significantly lower than the highest"),
    "": ("o", GREY, "others"),
    "worst": ("v", PALETTE[1], "worst"),
}
_TOP_MARGIN = 4  # pixels above the first row


def interval_plot(rows: Sequence[Interval], key: str, title: str, x_title: str) -> Figure:
    """Draw values with their intervals, one per row; the label stands above its interval.

    Args:
        rows: from the top down, in the unit of the axis.
        key: of the figure.
        title: of the figure.
        x_title: what is measured, with its unit.
    """
    shown = [mark for mark in _MARKS if any(row[4] == mark for row in rows)] if any(row[4] for row in rows) else []
    meanings = [_MARKS[mark][2] for mark in shown]
    row_height = 36
    bottom_margin = 46 + legend_height(meanings)
    height = _TOP_MARGIN + max(len(rows), 1) * row_height + bottom_margin
    with canvas(height) as figure:
        axes = figure.add_axes(
            (16 / WIDTH, bottom_margin / height, 1 - 32 / WIDTH, 1 - (_TOP_MARGIN + bottom_margin) / height)
        )
        axes.set_ylim(max(len(rows), 1), 0)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        descriptions = []
        for at, (label, value, low, high, mark) in enumerate(rows):
            marker, colour, _ = _MARKS[mark]
            text = f"{value:.1f}"
            if low is not None and high is not None:
                text += f" [{low:.1f}, {high:.1f}]"
                axes.plot([low, high], [at + 0.72] * 2, color=colour, linewidth=2, marker="|", markersize=7)
            axes.plot([value], [at + 0.72], color=colour, marker=marker, markersize=6.5)
            name = truncate(label, WIDTH - 32 - text_width(text) - 12)
            across = axes.get_yaxis_transform()
            axes.text(0, at + 0.28, name, transform=across, va="center")
            axes.text(1, at + 0.28, text, transform=across, va="center", ha="right")
            descriptions.append(f"{one_line(label)}: {text}")
        axes.margins(x=0.05)
        axes.set_xlabel(one_line(x_title))
        samples = [sample_line(LineStyle(_MARKS[mark][1], _MARKS[mark][0], "-")) for mark in shown]
        legend(figure, samples, meanings)
        return finish(figure, key, title, f"{one_line(x_title)}, with 95 % intervals: {join_for_alt(descriptions)}.")
