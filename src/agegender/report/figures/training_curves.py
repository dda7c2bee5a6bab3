"""Training curves: a measure of every run over its epochs."""

from collections.abc import Sequence

import numpy as np

from agegender.report.figures.style import finish, join_for_alt, line_styles, one_line, plot_with_legend
from agegender.report.page.document import Figure

Values = Sequence[float] | np.ndarray

_PLOT_HEIGHT = 300  # pixels, without the legend
_FEW_RUNS = 12  # that can be distinguished as thick lines


def training_curves(curves: Sequence[tuple[str, Values, Values]], y_title: str, key: str, title: str) -> Figure:
    """Draw a measure of all runs over their epochs.

    Args:
        curves: name, epochs (E,), values (E,), NaN where there is none; runs of one name, such as their model, share a
            colour and a dash pattern.
        y_title: of the values, with their unit.
        key: of the figure.
        title: of the figure.
    """
    from matplotlib.ticker import MaxNLocator

    arrays = [(one_line(name), np.asarray(epochs), np.asarray(values)) for name, epochs, values in curves]
    found = [(name, epochs[np.isfinite(values)], values[np.isfinite(values)]) for name, epochs, values in arrays]
    styles = line_styles(name for name, _, _ in found)
    labels = list(styles)
    few = len(found) <= _FEW_RUNS
    width, opacity = (1.5, 1.0) if few else (0.5, 0.4)
    with plot_with_legend(_PLOT_HEIGHT, "epoch", y_title, styles, marker=False) as (figure, axes):
        for name, epochs, values in found:
            style = styles[name]
            axes.plot(epochs, values, color=style.colour, linestyle=style.dash, linewidth=width, alpha=opacity)
            if len(epochs) == 1:  # no line
                axes.scatter(epochs, values, 16, color=style.colour, marker=style.marker)
        for name in labels if not few else ():
            style = styles[name]
            middle = medians([curve[1:] for curve in found if curve[0] == name])
            axes.plot(*middle, color="white", linewidth=3.2)
            axes.plot(*middle, color=style.colour, linestyle=style.dash, linewidth=2.0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        number = [f"{label}: {sum(name == label for name, _, _ in found)}" for label in labels]
        thick = "" if few else " Thin lines: single runs; thick lines: medians of the runs of one name."
        return finish(figure, key, title, f"{one_line(y_title)} over the epochs. Runs: {join_for_alt(number)}.{thick}")


def medians(curves: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Return every epoch that occurs, and the median of the values of that epoch: (E,) each.

    Args:
        curves: epochs and values, of equal length.
    """
    epochs = np.concatenate([epochs for epochs, _ in curves])
    values = np.concatenate([values for _, values in curves])
    every = np.unique(epochs)
    return every, np.array([np.median(values[epochs == epoch]) for epoch in every])
