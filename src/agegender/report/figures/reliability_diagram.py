"""Reliability diagram: accuracy against confidence; Guo et al. 2017."""

from collections.abc import Sequence

import numpy as np

from agegender.records.scores import NUM_BINS, bin_of_confidence, expected_calibration_error
from agegender.report.figures.style import GREY, finish, join_for_alt, line_styles, one_line, plot_with_legend
from agegender.report.page.document import Figure

_PLOT_HEIGHT = 360  # pixels, without the legend


def calibration_curve(confidence: np.ndarray, hit: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Compare confidence with accuracy in `NUM_BINS` bins of equal width.

    Args:
        confidence: (N,) probability of the predicted class.
        hit: bool (N,), whether it is the true one.

    Returns:
        Mean confidence, accuracy and share of the images of each bin that is not empty; then the expected calibration
        error (Guo et al. 2017), NaN without an image.
    """
    probabilities = confidence[:, None]
    _, bins = bin_of_confidence(probabilities)
    counts = np.bincount(bins, minlength=NUM_BINS)
    sums = [np.bincount(bins, weights=values, minlength=NUM_BINS) for values in (confidence, hit)]
    error = expected_calibration_error(probabilities, hits=hit) if len(hit) else float("nan")
    used = counts > 0
    means, accuracies = (values[used] / counts[used] for values in sums)
    return means, accuracies, counts[used] / max(len(hit), 1), error


def reliability_diagram(items: Sequence[tuple[str, np.ndarray, np.ndarray]], key: str, title: str) -> Figure:
    """Draw accuracy against confidence; a larger mark stands for more images.

    Args:
        items: label, confidence (N,) and hit, bool (N,), as for `calibration_curve`.
        key: of the figure.
        title: of the figure.
    """
    found = [(one_line(label), *calibration_curve(confidence, hit)) for label, confidence, hit in items]
    styles = line_styles(label for label, *_ in found)
    entries = {f"{label}, ECE {100 * error:.1f} %": styles[label] for label, *_, error in found}
    with plot_with_legend(_PLOT_HEIGHT, "confidence, %", "accuracy, %", entries) as (figure, axes):
        axes.plot([0, 100], [0, 100], color=GREY, linewidth=0.8, linestyle=(0, (3, 2)))
        for label, means, accuracies, shares, _ in found:
            style = styles[label]
            axes.plot(100 * means, 100 * accuracies, color=style.colour, linestyle=style.dash, linewidth=1.4)
            sizes = 12 + 120 * shares  # square points
            axes.scatter(100 * means, 100 * accuracies, sizes, color=style.colour, marker=style.marker, zorder=3)
        axes.set_xlim(0, 101.5)
        axes.set_ylim(0, 101.5)
        errors = join_for_alt(list(entries))
        alt = f"Accuracy against confidence in {NUM_BINS} bins. Expected calibration error: {errors}."
        return finish(figure, key, title, alt)
