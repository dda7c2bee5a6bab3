"""Figure of an age check: teenagers who pass against adults who are refused."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from agegender.report.figures.style import (
    GREY,
    LineStyle,
    finish,
    join_for_alt,
    line_styles,
    one_line,
    plot_with_legend,
)
from agegender.report.page.document import Figure
from agegender.report.sections.under_age.age_check import AgeCheck, WrongSide
from agegender.report.statistics.age_limits import AgeLimits

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PLOT_HEIGHT = 320  # pixels, height of the figure without its legend
_TICKS = (0, 1, 5, 10, 20, 40, 60, 80, 100)  # percent, on a square-root scale


def threshold_tradeoff(items: Sequence[AgeCheck], limits: AgeLimits, key: str, title: str) -> Figure:
    """Draw both error rates of an age check, for every age that may be required.

    Args:
        items: age checks of the configurations; may be empty.
        limits: the ages at which points are marked.
        key: of the figure.
        title: of the figure.
    """
    styles = line_styles(one_line(item.label) for item in items)
    y_title = f"{limits.teenage_years} years, pass as adults, %"
    with plot_with_legend(_PLOT_HEIGHT, "adults refused, %", y_title, styles) as (figure, axes):
        _scale(axes)
        if any(item.at_chosen is not None for item in items):
            axes.axhline(100 * limits.minors_passed, color=GREY, linewidth=0.8, linestyle=(0, (3, 2)))
        for item in items:
            style = styles[one_line(item.label)]
            if item.curve is None:
                continue
            refused = 100 * item.curve.false_negative_rate
            passed = 100 * item.curve.false_positive_rate
            axes.plot(refused, passed, color=style.colour, linestyle=style.dash, linewidth=1.1, alpha=0.75)
            _mark(axes, item, style)
        marks = _marks(items, limits)
        axes.text(0.98, 0.97, "\n".join(marks), transform=axes.transAxes, ha="right", va="top", linespacing=1.5)
        rates = [f"{one_line(item.label)}: {_rates_text(item)}" for item in items]
        alt = (
            f"Share of the minors of {limits.teenage_years} years that pass as adults, and of the adults that are "
            f"refused. {join_for_alt(rates)}."
        )
        return finish(figure, key, title, alt)


def _scale(axes: "Axes") -> None:
    """Set a square-root scale on both axes, as small rates matter most."""
    from matplotlib.ticker import FixedLocator

    square_root = {"functions": (lambda x: np.sqrt(np.maximum(x, 0)), np.square)}
    axes.set_xscale("function", **square_root)
    axes.set_yscale("function", **square_root)
    for axis, limit in ((axes.xaxis, axes.set_xlim), (axes.yaxis, axes.set_ylim)):
        axis.set_major_locator(FixedLocator(_TICKS))
        limit(0, 100)


def _mark(axes: "Axes", item: AgeCheck, style: LineStyle) -> None:
    """Mark the points of a configuration: filled, white, and white with a dot; see `_marks`."""
    outline = {"marker": style.marker, "edgecolor": style.colour, "linewidth": 1.3, "zorder": 3, "clip_on": False}
    axes.scatter(*_place(item.at_threshold), 34, facecolor=style.colour, **outline)
    if item.at_challenge is not None:
        axes.scatter(*_place(item.at_challenge), 34, facecolor="white", **outline)
    if item.at_chosen is not None:
        axes.scatter(*_place(item.at_chosen), 64, facecolor="white", **outline)
        axes.scatter(*_place(item.at_chosen), 8, color=style.colour, zorder=4, clip_on=False)


def _place(found: WrongSide) -> tuple[list[float], list[float]]:
    return [100 * found.adults.value], [100 * found.teenagers.value]


def _marks(items: Sequence[AgeCheck], limits: AgeLimits) -> list[str]:
    marks = [f"filled: {limits.threshold_age:g} years required"]
    if any(item.at_challenge is not None for item in items):
        marks.append(f"white: {limits.challenge_age:g} years")
    if any(item.at_chosen is not None for item in items):
        marks.append(f"with a dot: chosen on validation for {100 * limits.minors_passed:g} %")
    return marks


def _rates_text(item: AgeCheck) -> str:
    found = [item.at_threshold, item.at_challenge, item.at_chosen]
    return ", ".join(
        f"{100 * one.teenagers.value:.1f} % and {100 * one.adults.value:.1f} % "
        f"at {np.mean(one.required_ages):.1f} years"
        for one in found
        if one is not None
    )
