"""The report's section on tests: which configurations differ significantly, pair by pair."""

from agegender.report.figures.critical_difference import critical_difference_diagram
from agegender.report.figures.interval_plot import interval_plot
from agegender.report.page.document import Cell, Figure, Grid, Heading, Section
from agegender.report.sections.cells import estimate_cell
from agegender.report.sections.verdict import detectable_sentence
from agegender.report.statistics.analysis import Analysis
from agegender.report.statistics.scores import SCORES
from agegender.report.statistics.significance import LEVEL, MIN_BLOCKS
from agegender.report.tables.text_formats import format_p

MAX_INTERVALS = 40  # lines of a figure
MAX_PAIRS = 60  # rows of a table of pairs; all are in pairs.csv

_NO_RANKS = (
    f"Ranks (Friedman, Nemenyi) need three configurations on at least {MIN_BLOCKS} splits: seeds on one test part "
    "are not independent blocks."
)


def tests_section(analysis: Analysis) -> Section:
    """Return the section on the tests of all pairs."""
    text = []
    blocks: list[Grid | Figure] = []
    if len(analysis.compared) < 2:
        text.append("Nothing to test: fewer than two configurations were tested on the same images.")
        return Section("tests", "Tests", tuple(text))
    for task in analysis.tasks:
        rows = _interval_rows(analysis, task)
        title = f"{task.capitalize()} accuracy with its 95 % interval"
        if len(rows) > MAX_INTERVALS:
            title += f", the highest {MAX_INTERVALS} of {len(rows)}"
        shown = rows[:MAX_INTERVALS]
        blocks.append(interval_plot(shown, f"intervals-{task}", title, f"{task} accuracy, %"))
        blocks.append(pairs_grid(analysis, task))
        ranks = analysis.ranks[task]
        if ranks is not None:
            title = f"Critical difference, {task} accuracy (Friedman, Nemenyi)"
            blocks.append(critical_difference_diagram(analysis.compared, ranks, f"critical-difference-{task}", title))
    text += [line for line in (*basis(analysis), detectable_sentence(analysis)) if line]
    return Section("tests", "Tests", tuple(text), tuple(blocks))


def basis(analysis: Analysis) -> list[str]:
    """Return sentences on what was tested, how, and what the tests generalize to."""
    design = analysis.design
    compared = "the comparisons with the whole recipe" if design.reference else "all pairs"
    if design.num_splits > 1:
        return [
            f"Every configuration was trained and tested on the same {design.num_splits} splits. Pairs are compared by "
            "the corrected resampled t-test (Nadeau & Bengio 2003) of the splits' means over seeds, because the "
            "training parts share most of their images, with Holm's correction for "
            f"{compared}; intervals follow from the same variance."
        ]
    text = f"All configurations were tested on the same {analysis.num_images:,} images. "
    if design.num_seeds == (1, 1):
        text += (
            "Each has a single seed: McNemar's exact test compares these networks, and intervals cover other test "
            "images. They do not cover other seeds."
        )
    else:
        text += (
            "Tests and intervals are crossed over images and seeds: they cover both other test images and other "
            "seeds of the same methods (for rows with a single seed, only other images)."
        )
    return [
        f"{text} Holm's correction for {compared}; intervals of differences are simultaneous (Bonferroni).",
        "Not significantly lower is not the same as equal.",
        *([] if any(analysis.ranks.values()) else [_NO_RANKS]),
    ]


def _interval_rows(analysis: Analysis, task: str) -> list[tuple[str, float, float, float, str]]:
    rows = []
    for label in analysis.compared:
        estimate = analysis.estimates[label][f"{task}_accuracy"]
        assert estimate.interval is not None
        ends = (100 * value for value in (estimate.value, *estimate.interval))
        rows.append((label, *ends, analysis.mark(task, label)))
    return sorted(rows, key=lambda row: -row[1])


def pairs_grid(analysis: Analysis, task: str) -> Grid:
    """Return a table of the tests of all pairs; of many, only of the pairs with the most accurate configuration."""
    found = analysis.pairs[task]
    best = analysis.best.get(task)
    shown = found if len(found) <= MAX_PAIRS else [pair for pair in found if best in (pair.first, pair.second)]
    score = SCORES[f"{task}_accuracy"]
    rows = [
        (
            Cell(f"{pair.first} - {pair.second}", pair.first),
            estimate_cell(pair.difference, score, signed=True),
            Cell(format_p(pair.p_value), pair.p_value),
            Cell(format_p(pair.adjusted), pair.adjusted),
            _answer(pair.adjusted < LEVEL),
        )
        for pair in shown
    ]
    headings = (
        Heading("Pair"),
        Heading(
            "Difference, points",
            "First minus second; below, its 95 % interval, simultaneous over all pairs.",
            numeric=True,
        ),
        Heading("p", "For this pair alone; the test is named above.", numeric=True),
        Heading("Adjusted", "Holm's correction for all pairs that are compared.", numeric=True),
        Heading(f"Different at {100 * LEVEL:.0f} %"),
    )
    notes = () if len(shown) == len(found) else (f"{len(shown)} of {len(found):,} pairs; all are in pairs.csv.",)
    return Grid(f"{task.capitalize()} accuracy, pair by pair", headings, tuple(rows), notes)


def _answer(yes: bool) -> Cell:
    return Cell("yes", 1) if yes else Cell("no", 0)
