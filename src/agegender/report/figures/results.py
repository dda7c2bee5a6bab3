"""Figures of one thing measured: ages, errors, probabilities, curves; see `figures_comparison` for the others."""

from collections.abc import Sequence

import numpy as np

from agegender.records.scores import NUM_BINS, bin_of_confidence, expected_calibration_error
from agegender.report.figures.style import (
    FONT,
    GREY,
    INK,
    PALETTE,
    SMALL,
    WIDTH,
    canvas,
    finish,
    legend,
    legend_height,
    listing,
    looks,
    plain,
    plot_area,
    sample_line,
    text_width,
)
from agegender.report.page.document import Figure

Values = Sequence[float] | np.ndarray

_PLOT = 300  # pixels, height of a figure without its legend
_FEW_RUNS = 12  # that can be told apart as thick lines


def age_distribution(
    age_counts: Sequence[int], group_edges: Sequence[int], group_names: Sequence[str], title: str
) -> Figure:
    """Count the images of each year of age.

    Args:
        age_counts: (A,) images of each age in years, from 0.
        group_edges: (G,) first age of each group, rising.
        group_names: (G,).
        title: of the figure.
    """
    counts = np.asarray(age_counts, dtype=np.int64)
    oldest = int(np.flatnonzero(counts)[-1]) if counts.any() else 0
    last = max(oldest, *(edge + 5 for edge in group_edges)) if group_edges else oldest
    ends = [*group_edges[1:], last + 1]
    groups = list(zip(map(plain, group_names), group_edges, ends, strict=True)) if group_edges else []
    with canvas(_PLOT) as figure:
        top = 34 + max((text_width(name) for name, _, _ in groups), default=0)
        axes = plot_area(figure, "age, years", "images per year of age", top=top)
        axes.bar(np.arange(len(counts)), counts, width=0.85, color=PALETTE[0], linewidth=0)
        axes.set_xlim(-0.6, last + 0.6)
        axes.set_ylim(0, 1.03 * max(counts.max(initial=0), 1))
        axes.grid(visible=False, axis="x")
        over = axes.get_xaxis_transform()
        middle = -last
        for name, first, end in groups:
            axes.axvline(first - 0.5, color=GREY, linewidth=0.8, linestyle=(0, (3, 2)))
            middle = max((first + end - 1) / 2, middle + (last + 1) * 13 / (WIDTH - 66))  # no closer than 13 pixels
            axes.text(middle, 1.02, name, transform=over, rotation=90, ha="center", va="bottom")
        sums = [f"{name}: {counts[first:end].sum():,}" for name, first, end in groups]
        most = f", most at {int(counts.argmax())} years" if counts.any() else ""
        alt = f"{counts.sum():,} images by year of age{most}. Images by group: {listing(sums)}."
        return finish(figure, "age-distribution", title, alt)


def confusion_matrix(matrix: np.ndarray, names: Sequence[str], key: str, title: str) -> Figure:
    """Show what each class is taken for.

    Args:
        matrix: int (C, C) images, true classes in rows.
        names: (C,).
        key: of the figure.
        title: of the figure.
    """
    from matplotlib.colors import LinearSegmentedColormap

    names, number = [plain(name) for name in names], len(names)
    total = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, total, out=np.zeros(matrix.shape), where=total > 0)
    longest = max((text_width(name) for name in names), default=0.0)
    left, cell = round(longest) + 34, min(90, max(40, 320 // max(number, 1)))
    turned = longest > cell
    side, below = cell * number, 44 + (round(longest) - 10 if turned else 0)
    width, height = left + side + 12, side + below + 8
    with canvas(height, width) as figure:
        axes = figure.add_axes((left / width, below / height, side / width, side / height))
        colours = LinearSegmentedColormap.from_list("blue", ["#ffffff", "#7fb8d8", "#00426a"])
        axes.pcolormesh(shares, cmap=colours, vmin=0, vmax=1, edgecolors="#e8e8e8", linewidth=0.6)
        axes.invert_yaxis()
        axes.grid(visible=False)
        axes.tick_params(length=0)
        axes.set_xticks(np.arange(number) + 0.5, names, rotation=90 if turned else 0)
        axes.set_yticks(np.arange(number) + 0.5, names)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        for (row, column), share in np.ndenumerate(shares):
            ink = "white" if share > 0.75 else INK  # the contrast of either is 4 or more
            percent = f"{100 * share:.1f}" if total[row, 0] else "-"
            axes.text(column + 0.5, row + 0.5 - 8 / cell, percent, color=ink, ha="center", va="center", fontsize=FONT)
            count = f"{matrix[row, column]:,}"
            axes.text(column + 0.5, row + 0.5 + 8 / cell, count, color=ink, ha="center", va="center", fontsize=SMALL)
        right = [f"{name}: {100 * shares[at, at]:.1f} % of {total[at, 0]:,}" for at, name in enumerate(names)]
        return finish(figure, key, title, f"Percent and number of images. Predicted as they are: {listing(right)}.")


def calibration(confidence: np.ndarray, hit: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Compare confidence with accuracy in `NUM_BINS` bins of equal width.

    Args:
        confidence: (N,) probability of the predicted class.
        hit: bool (N,), whether it is the true one.

    Returns:
        Of the bins that are not empty: mean confidence, accuracy and share of the images; then the expected calibration
        error, Guo et al. 2017; NaN without an image.
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
    """Show whether a probability means what it says; a larger mark stands for more images.

    Args:
        items: label, confidence (N,) and hit, bool (N,), as for `calibration`.
        key: of the figure.
        title: of the figure.
    """
    found = [(plain(label), *calibration(confidence, hit)) for label, confidence, hit in items]
    look = looks(label for label, *_ in found)
    labels = [f"{label}, ECE {100 * error:.1f} %" for label, *_, error in found]
    with canvas(360 + legend_height(labels)) as figure:
        axes = plot_area(figure, "confidence, %", "accuracy, %", bottom=legend_height(labels))
        axes.plot([0, 100], [0, 100], color=GREY, linewidth=0.8, linestyle=(0, (3, 2)))
        for label, means, accuracies, shares, _ in found:
            style = look[label]
            axes.plot(100 * means, 100 * accuracies, color=style.colour, linestyle=style.dash, linewidth=1.4)
            sizes = 12 + 120 * shares  # square points
            axes.scatter(100 * means, 100 * accuracies, sizes, color=style.colour, marker=style.marker, zorder=3)
        axes.set_xlim(0, 101.5)
        axes.set_ylim(0, 101.5)
        legend(figure, [sample_line(look[label]) for label, *_ in found], labels)
        alt = f"Accuracy against confidence in {NUM_BINS} bins. Expected calibration error: {listing(labels)}."
        return finish(figure, key, title, alt)


def training_curves(curves: Sequence[tuple[str, Values, Values]], y_title: str, key: str, title: str) -> Figure:
    """Show all runs over their epochs.

    Args:
        curves: a name, epochs (E,), values (E,), NaN where none; runs of one name, such as their model, look alike.
        y_title: of the values, with their unit.
        key: of the figure.
        title: of the figure.
    """
    from matplotlib.ticker import MaxNLocator

    told = [(plain(name), np.asarray(epochs), np.asarray(values)) for name, epochs, values in curves]
    found = [(name, epochs[np.isfinite(values)], values[np.isfinite(values)]) for name, epochs, values in told]
    look = looks(name for name, _, _ in found)
    labels, few = list(look), len(found) <= _FEW_RUNS
    width, opacity = (1.5, 1.0) if few else (0.5, 0.4)
    with canvas(_PLOT + legend_height(labels)) as figure:
        axes = plot_area(figure, "epoch", y_title, bottom=legend_height(labels))
        for name, epochs, values in found:
            style = look[name]
            axes.plot(epochs, values, color=style.colour, linestyle=style.dash, linewidth=width, alpha=opacity)
            if len(epochs) == 1:  # no line
                axes.scatter(epochs, values, 16, color=style.colour, marker=style.marker)
        for name in labels if not few else ():
            style, middle = look[name], medians([curve[1:] for curve in found if curve[0] == name])
            axes.plot(*middle, color="white", linewidth=3.2)
            axes.plot(*middle, color=style.colour, linestyle=style.dash, linewidth=2.0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        legend(figure, [sample_line(look[label], marker=False) for label in labels], labels)
        number = [f"{label}: {sum(name == label for name, _, _ in found)}" for label in labels]
        thick = "" if few else " Thin: a run each; thick: the median of those of one name."
        return finish(figure, key, title, f"{plain(y_title)} over the epochs. Runs: {listing(number)}.{thick}")


def medians(curves: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Give every epoch that occurs, and the median of the values there: (E,) each.

    Args:
        curves: epochs and values, of equal length.
    """
    epochs = np.concatenate([epochs for epochs, _ in curves])
    values = np.concatenate([values for _, values in curves])
    every = np.unique(epochs)
    return every, np.array([np.median(values[epochs == epoch]) for epoch in every])
