"""Accuracy against cost, and the Pareto front."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agegender.report.figures.style import (
    GREY,
    finish,
    join_for_alt,
    label_points,
    line_styles,
    one_line,
    plot_with_legend,
)
from agegender.report.page.document import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PLOT_HEIGHT = 320  # pixels, without the legend
_MAX_MODELS = 20  # in the legend; more are hard to read
_MIN_LOG_RANGE = 3  # of largest to smallest cost; with a smaller ratio, a logarithmic axis has too few ticks


@dataclass(frozen=True)
class EfficiencyPoint:
    """Cost and accuracy of a configuration.

    Attributes:
        label: of the configuration.
        model: points of one model have one colour and marker.
        x: cost; lower is better.
        accuracy: percent.
    """

    label: str
    model: str
    x: float
    accuracy: float


def pareto(points: Sequence[EfficiencyPoint]) -> list[str]:
    """Return the Pareto front: no other point costs less and is as accurate, or is more accurate and costs no more.

    Returns:
        Labels, the cheapest first; equal points are all on the front.
    """
    return [point.label for point in _front(points)]


def _front(points: Sequence[EfficiencyPoint]) -> list[EfficiencyPoint]:
    def beats(one: EfficiencyPoint, other: EfficiencyPoint) -> bool:
        as_good = one.x <= other.x and one.accuracy >= other.accuracy
        return as_good and (one.x < other.x or one.accuracy > other.accuracy)

    return sorted((p for p in points if not any(beats(other, p) for other in points)), key=lambda p: p.x)


def efficiency_plot(points: Sequence[EfficiencyPoint], x_title: str, key: str, title: str, *, log_x: bool) -> Figure:
    """Draw accuracy against cost, with the Pareto front.

    Args:
        points: each is labelled where there is room; a legend lists their models.
        x_title: the cost, with its unit.
        key: of the figure.
        title: of the figure.
        log_x: use a logarithmic axis, if the costs differ enough.
    """
    front = _front(points)
    name = _names(points)
    styles = line_styles(name[point.model] for point in points)
    with plot_with_legend(_PLOT_HEIGHT, x_title, "accuracy, %", styles, line=False) as (figure, axes):
        for model, style in styles.items():
            own = [point for point in points if name[point.model] == model]
            x = [point.x for point in own]
            y = [point.accuracy for point in own]
            axes.scatter(x, y, 36, color=style.colour, marker=style.marker, zorder=4)
        axes.margins(0.1)
        if log_x and points and min(p.x for p in points) * _MIN_LOG_RANGE <= max(p.x for p in points):
            _make_logarithmic(axes, min(p.x for p in points))
        if front:
            right = axes.get_xlim()[1]
            steps = [*((p.x, p.accuracy) for p in front), (right, front[-1].accuracy)]
            axes.step(*zip(*steps, strict=True), where="post", color=GREY, linewidth=1.0, linestyle=(0, (4, 2)))
            axes.set_xlim(right=right)
        front_first = [*front, *(point for point in points if point not in front)]
        label_points(axes, [(point.label, point.x, point.accuracy) for point in front_first])
        on_front = [f"{one_line(p.label)}: {p.accuracy:.1f} % at {p.x:,.4g}" for p in front]
        against = f"Accuracy of {len(points)} configurations against {one_line(x_title)}."
        alt = f"{against} Pareto front: {join_for_alt(on_front)}."
        return finish(figure, key, title, alt)


def _names(points: Sequence[EfficiencyPoint]) -> dict[str, str]:
    """Return the name of each model in the legend; of very many, only the most accurate have their own."""
    best: dict[str, float] = {}
    for point in points:
        best[point.model] = max(point.accuracy, best.get(point.model, point.accuracy))
    shown = sorted(best, key=lambda model: -best[model])[:_MAX_MODELS]
    return {model: one_line(model) if model in shown else f"{len(best) - _MAX_MODELS} others" for model in best}


def _make_logarithmic(axes: "Axes", smallest: float) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    if smallest <= 0:
        return
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
