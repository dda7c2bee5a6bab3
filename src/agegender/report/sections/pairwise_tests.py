"""The report's sections on tests and scores."""

import numpy as np

from agegender.report.figures import critical_difference, reliability_diagram
from agegender.report.page.document import Figure, Grid, Section
from agegender.report.results import Configuration, Sweep
from agegender.report.sections.highlighted import MOST_SHOWN, focus, predictions_of
from agegender.report.sections.scores_section import pairs, scores, to_the_best
from agegender.report.sections.verdict import found_differences
from agegender.report.statistics.analysis import TASKS, Analysis
from agegender.report.statistics.significance import LEAST_BLOCKS

MOST_INTERVALS = 40  # lines of a figure
_CALIBRATION = (
    "Calibration errors over bins have no interval. The expected calibration error is above 0 for a calibrated network "
    "too; the debiased one takes off what chance adds to its square and is 0 where nothing is left (Kumar, Liang & Ma "
    "2019). Brier score: the sum over classes, 0 to 2. Files hold probabilities of 6 decimals, so the negative "
    "log-likelihood counts what is below 0.0000005 as that."
)


def tests_section(analysis: Analysis) -> Section:
    """Who is better than whom, and how surely."""
    text = []
    blocks: list[Grid | Figure] = []
    if len(analysis.compared) < 2:
        text.append("Nothing to test: fewer than two configurations were tested on the same images.")
        return Section("tests", "Tests", tuple(text))
    for task in TASKS:
        rows, title = _interval_rows(analysis, task), f"{task.capitalize()} accuracy with its 95 % interval"
        if len(rows) > MOST_INTERVALS:
            title += f", the highest {MOST_INTERVALS} of {len(rows)}"
        shown = rows[:MOST_INTERVALS]
        blocks.append(critical_difference.intervals(shown, f"intervals-{task}", title, f"{task} accuracy, %"))
        blocks.append(pairs(analysis, task))
        ranks = analysis.ranks[task]
        if ranks is not None:
            title = f"Critical difference, {task} accuracy (Friedman, Nemenyi)"
            blocks.append(
                critical_difference.critical_difference(analysis.compared, ranks, f"critical-difference-{task}", title)
            )
    text += [line for line in (*basis(analysis), found_differences(analysis)) if line]
    return Section("tests", "Tests", tuple(text), tuple(blocks))


def basis(analysis: Analysis) -> list[str]:
    """Say what was tested, how, and of what it speaks."""
    design = analysis.design
    pairs = "the comparisons with the whole recipe" if design.reference else "all pairs"
    if design.num_splits > 1:
        return [
            f"Every configuration was trained and tested on the same {design.num_splits} splits. Pairs are compared by "
            "the corrected resampled t-test (Nadeau & Bengio 2003) of the splits' means over seeds, for the training "
            f"parts share most of their images, with Holm's correction for {pairs}; intervals follow from the same "
            "variance."
        ]
    told = f"All configurations were tested on the same {analysis.num_images:,} images. "
    if design.num_seeds == (1, 1):
        told += (
            "Each has a single seed: McNemar's exact test compares these networks, and intervals say what other test "
            "images would do. What another seed would do is not in them."
        )
    else:
        told += (
            "Tests and intervals are crossed over images and seeds: other test images and other seeds of the same "
            "methods are both in them (of rows with a single seed only the images)."
        )
    return [
        f"{told} Holm's correction for {pairs}; intervals of differences are simultaneous (Bonferroni).",
        "Not significantly lower is not the same as equal.",
        *([] if analysis.ranks["age"] else [_NO_RANKS]),
    ]


_NO_RANKS = (
    f"Ranks (Friedman, Nemenyi) need three configurations on at least {LEAST_BLOCKS} splits: seeds on one test part "
    "are no independent blocks."
)


def _interval_rows(analysis: Analysis, task: str) -> list[tuple[str, float, float, float, str]]:
    rows = []
    for label in analysis.compared:
        estimate = analysis.estimates[label][f"{task}_accuracy"]
        assert estimate.interval is not None
        ends = (100 * value for value in (estimate.value, *estimate.interval))
        rows.append((label, *ends, analysis.mark(task, label)))
    return sorted(rows, key=lambda row: -row[1])


def scores_section(sweep: Sweep, analysis: Analysis) -> Section:
    """What one accuracy hides: other scores and calibration."""
    if not analysis.estimates:
        return Section("scores", "What accuracy hides")
    blocks: list[Grid | Figure] = [scores(analysis)]
    if len(analysis.compared) > 1:
        blocks.append(to_the_best(analysis))
    chosen = focus(sweep, analysis)[:MOST_SHOWN]
    for task in TASKS:
        curves = [_reliability(configuration, task) for configuration in chosen]
        pooled = ", all seeds together" if any(len(one.measured) > 1 for one in chosen) else ""
        title = f"Reliability of the {task} probabilities{pooled}"
        blocks.append(reliability_diagram.reliability_diagram(curves, f"reliability-{task}", title))
    return Section("scores", "What accuracy hides", (_CALIBRATION,), tuple(blocks))


def _reliability(configuration: Configuration, task: str) -> tuple[str, np.ndarray, np.ndarray]:
    runs = predictions_of(configuration)
    confidence = np.concatenate([run.probabilities(task).max(axis=1) for run in runs])
    return configuration.label, confidence, np.concatenate([run.hits(task) for run in runs])
