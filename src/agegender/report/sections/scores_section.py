"""The report's section on scores beside the accuracy: all scores, and the calibration of the probabilities."""

import numpy as np

from agegender.report.figures.reliability_diagram import reliability_diagram
from agegender.report.page.document import Cell, Figure, Grid, Heading, Section
from agegender.report.results import Configuration, SweepResults
from agegender.report.sections.cells import estimate_cell
from agegender.report.sections.highlighted import MAX_SHOWN, highlighted_configurations, predictions_for
from agegender.report.statistics.analysis import TASKS, Analysis
from agegender.report.statistics.scores import SCORES

_CALIBRATION = (
    "Calibration errors over bins have no interval. The expected calibration error is above 0 even for a calibrated "
    "network; the debiased one subtracts what chance adds to its square, and is 0 where the result is negative (Kumar, "
    "Liang & Ma 2019). Brier score: the sum over classes, 0 to 2. Files hold probabilities with 6 decimals, so the "
    "negative log-likelihood counts a probability below 0.0000005 as 0.0000005."
)


def scores_section(sweep: SweepResults, analysis: Analysis) -> Section:
    """Return the section on scores beside the accuracy, and on calibration."""
    if not analysis.estimates:
        return Section("scores", "What accuracy hides")
    blocks: list[Grid | Figure] = [scores_grid(analysis)]
    if len(analysis.compared) > 1:
        blocks.append(best_differences_grid(analysis))
    highlighted = highlighted_configurations(sweep, analysis)[:MAX_SHOWN]
    for task in TASKS:
        curves = [_reliability(one, task) for one in highlighted if predictions_for(one, task)]
        if not curves:
            continue
        pooled = ", all seeds together" if any(len(one.measured) > 1 for one in highlighted) else ""
        title = f"Reliability of the {task} probabilities{pooled}"
        blocks.append(reliability_diagram(curves, f"reliability-{task}", title))
    return Section("scores", "What accuracy hides", (_CALIBRATION,), tuple(blocks))


def _reliability(configuration: Configuration, task: str) -> tuple[str, np.ndarray, np.ndarray]:
    runs = predictions_for(configuration, task)
    confidence = np.concatenate([run.probabilities(task).max(axis=1) for run in runs])
    return configuration.label, confidence, np.concatenate([run.hits(task) for run in runs])


def scores_grid(analysis: Analysis) -> Grid:
    """Return a table of all scores of all configurations; the highest of each score (the lowest error) is marked."""
    headings = [Heading("Configuration")]
    headings += [Heading(f"{s.title}{f', {s.unit}' if s.unit else ''}", numeric=True) for s in SCORES.values()]
    rows = []
    for label, estimates in analysis.estimates.items():
        best = {key: analysis.differences.get(label, {}).get(key) for key in SCORES}
        marks = {key: "best" if found is not None and found.value == 0 else "" for key, found in best.items()}
        rows.append((Cell(label, label), *(estimate_cell(estimates[key], SCORES[key], marks[key]) for key in SCORES)))
    return Grid(
        "Every score, with its 95 % interval below",
        tuple(headings),
        tuple(rows),
        (
            "Intervals: percentiles of a bootstrap over test images and seeds (for several splits: over splits), with "
            "the same draws of images for all configurations. The best of many looks better than it is, as it was "
            "selected.",
        ),
    )


def best_differences_grid(analysis: Analysis) -> Grid:
    """Return a table of the difference of each configuration to the highest of each score (the lowest error)."""
    headings = [Heading("Configuration"), *(Heading(score.title, numeric=True) for score in SCORES.values())]
    rows = [
        (Cell(label, label), *(estimate_cell(found[key], SCORES[key], signed=True) for key in SCORES))
        for label, found in analysis.differences.items()
    ]
    return Grid(
        "Difference to the highest of each score (the lowest error), with its 95 % interval below",
        tuple(headings),
        tuple(rows),
        ("Intervals are simultaneous over all pairs of configurations, as the highest was selected by the same data.",),
    )
