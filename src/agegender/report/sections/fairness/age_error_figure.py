"""Figure of the error of the predicted years by true age."""

from collections.abc import Callable, Sequence

from agegender.report.figures.style import GREY, finish, join_for_alt, line_styles, one_line, plot_with_legend
from agegender.report.page.document import Figure
from agegender.report.sections.fairness.age_errors import AgeError
from agegender.report.statistics.crossed import Mean

_PLOT_HEIGHT = 320  # pixels, height of the figure without its legend
_MAX_BANDS = 3  # curves with their intervals as bands; more bands hide each other


def errors_by_age(
    curves: Sequence[tuple[str, Sequence[AgeError]]],
    measure: Callable[[AgeError], Mean],
    y_title: str,
    key: str,
    title: str,
) -> Figure:
    """Draw an error of the predicted years over the true age, with 95 % intervals as bands if there are few curves.

    Args:
        curves: a label, and its errors.
        measure: returns the quantity to draw of an error.
        y_title: of the values, with their unit.
        key: of the figure.
        title: of the figure.
    """
    found = [(one_line(label), errors) for label, errors in curves]
    styles = line_styles(label for label, _ in found)
    with plot_with_legend(_PLOT_HEIGHT, "true age, years", y_title, styles, marker=False) as (figure, axes):
        axes.axhline(0, color=GREY, linewidth=0.8)
        largest = []
        for label, errors in found:
            style = styles[label]
            ages = [error.age for error in errors]
            values = [measure(error).value for error in errors]
            single = len(ages) < 2  # a point makes no line
            axes.plot(
                ages, values, color=style.colour, linestyle=style.dash, linewidth=1.4, marker="o" if single else ""
            )
            if len(found) <= _MAX_BANDS:
                low, high = zip(*(measure(error).interval() for error in errors), strict=True)
                axes.fill_between(ages, low, high, color=style.colour, alpha=0.18, linewidth=0)
            farthest = max(range(len(errors)), key=lambda at: abs(values[at]))
            largest.append(f"{label}: {values[farthest]:.1f} at {errors[farthest].name}")
        axes.set_xlim(left=0)
        if all(measure(error).value >= 0 for _, errors in found for error in errors):
            axes.set_ylim(bottom=0)
        return finish(figure, key, title, f"{one_line(y_title)} by true age. Farthest from 0: {join_for_alt(largest)}.")
