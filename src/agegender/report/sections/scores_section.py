"""The report's tables of results."""

from agegender.report.page.document import Cell, Grid, Heading
from agegender.report.paper import TEST_IMAGES
from agegender.report.statistics.analysis import Analysis, Estimate
from agegender.report.statistics.scores import SCORES, Score
from agegender.report.statistics.significance import LEVEL, wilson
from agegender.report.tables.rows import Column, Comparison
from agegender.report.tables.text_formats import format_p, format_value, is_numeric

MOST_PAIRS = 60  # rows of a table of pairs; all are in pairs.csv

_PUBLISHED = {"paper_age_accuracy": "age_minus_paper", "paper_gender_accuracy": "gender_minus_paper"}
_PAPER_HELP = "As published, and ours minus it; below, its 95 % sampling interval for 4,821 test images."
_HELP = {
    "age_accuracy": "Share of the test images in their own age group; below, its 95 % interval.",
    "gender_accuracy": "Share of the test images with their own gender; below, the 95 % interval.",
    "paper_age_accuracy": _PAPER_HELP,
    "paper_gender_accuracy": _PAPER_HELP,
    "age_balanced_accuracy": "Mean of the age groups' recalls: small groups count like large ones.",
    "age_one_off_accuracy": "Share of the test images in their own age group or a neighbour of it.",
    "age_mae_years": "Mean absolute error of the predicted age, in years.",
    "gmacs": "Multiply-accumulates of one image, in billions.",
    "fit_seconds": "Seconds of training, validation included.",
    "images_per_second": "Training images per second.",
    "paper_training_time": "As printed, without a unit.",
    "paper_params_millions": "As printed; some are of networks with 1,000 classes.",
}


def comparison(table: Comparison) -> Grid:
    """Make the first screen's table; the difference to the paper stands with its number."""
    columns = [column for column in table.columns if not column.key.endswith("_minus_paper")]
    headings = [Heading(_title(column), _HELP.get(column.key, ""), is_numeric(column, table)) for column in columns]
    rows = [tuple(_value(table, number, column) for column in columns) for number in range(len(table.rows))]
    return Grid("All configurations, mean over seeds", tuple(headings), tuple(rows), tuple(table.notes))


def _title(column: Column) -> str:
    """A title that says what it is without its neighbours."""
    if column.title != "paper":
        return column.title
    what = {"age": "Age", "gender": "Gender", "params": "Params", "training": "Time"}
    return f"{what[column.key.removeprefix('paper_').partition('_')[0]]}, paper"


def _value(table: Comparison, number: int, column: Column) -> Cell:
    row, spread = table.rows[number], table.spread(number, column.key)
    value = row.get(column.key)
    text, note = format_value(value, column), ""
    if spread.deviation is not None:
        text += f" ± {format_value(spread.deviation, column)}"
    if spread.interval is not None:
        note = " to ".join(format_value(end, column) for end in spread.interval)
    elif column.key in _PUBLISHED and isinstance(value, float):
        difference = row.get(_PUBLISHED[column.key])
        text += f" ({difference:+.2f})" if isinstance(difference, float) else ""
        note = " to ".join(f"{100 * end:.2f}" for end in wilson(value / 100 * TEST_IMAGES, TEST_IMAGES))
    return Cell(text, value, spread.mark, note)


def estimate_cell(estimate: Estimate, score: Score, mark: str = "", *, signed: bool = False) -> Cell:
    """Show an estimate in its unit, its interval below."""
    scale, decimals = (100, 2) if score.unit == "%" else (1, 3 if not score.unit else 2)
    sign = "+" if signed else ""
    text = f"{scale * estimate.value:{sign}.{decimals}f}"
    if estimate.deviation is not None:
        text += f" ± {scale * estimate.deviation:.{decimals}f}"
    note = ""
    if estimate.interval is not None:
        note = " to ".join(f"{scale * end:{sign}.{decimals}f}" for end in estimate.interval)
    return Cell(text, estimate.value, mark, note)


def scores(analysis: Analysis) -> Grid:
    """Show every score of every configuration, the highest of each (the lowest error) marked."""
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
            "Intervals: percentiles of a bootstrap over test images and seeds (of several splits: over splits), the "
            "same draws of images for all configurations. The highest of many is flattered by having been chosen.",
        ),
    )


def to_the_best(analysis: Analysis) -> Grid:
    """Show how far each configuration is from the highest of each score (the lowest error)."""
    headings = [Heading("Configuration"), *(Heading(score.title, numeric=True) for score in SCORES.values())]
    rows = [
        (Cell(label, label), *(estimate_cell(found[key], SCORES[key], signed=True) for key in SCORES))
        for label, found in analysis.differences.items()
    ]
    return Grid(
        "Difference to the highest of each score (the lowest error), with its 95 % interval below",
        tuple(headings),
        tuple(rows),
        (
            "Intervals are simultaneous over all pairs of configurations: the one held against was chosen by the same "
            "data.",
        ),
    )


def pairs(analysis: Analysis, task: str) -> Grid:
    """Show the test of each pair; of many, the pairs with the highest alone."""
    found, best = analysis.pairs[task], analysis.best.get(task)
    shown = found if len(found) <= MOST_PAIRS else [pair for pair in found if best in (pair.first, pair.second)]
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
        Heading("p", "Of this pair alone; how it was tested stands above.", numeric=True),
        Heading("Adjusted", "Holm's correction for all pairs that are compared.", numeric=True),
        Heading(f"Different at {100 * LEVEL:.0f} %"),
    )
    notes = () if len(shown) == len(found) else (f"{len(shown)} of {len(found):,} pairs; all are in pairs.csv.",)
    return Grid(f"{task.capitalize()} accuracy, pair by pair", headings, tuple(rows), notes)


def _answer(yes: bool) -> Cell:
    return Cell("yes", 1) if yes else Cell("no", 0)


def _share(value: float, interval: tuple[float, float]) -> Cell:
    return Cell(f"{100 * value:.1f}", value, note=f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}")
