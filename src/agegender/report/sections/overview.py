"""The report's first table: every configuration beside the paper's numbers."""

from agegender.report.page.document import Cell, Grid, Heading
from agegender.report.paper import TEST_IMAGES
from agegender.report.statistics.significance import wilson
from agegender.report.tables.rows import Column, ComparisonTable
from agegender.report.tables.text_formats import format_value, is_numeric

_PUBLISHED = {"paper_age_accuracy": "age_minus_paper", "paper_gender_accuracy": "gender_minus_paper"}
_PAPER_HELP = (
    "As published, with ours minus the paper's in brackets; below, its 95 % sampling interval for 4,821 test images."
)
_HELP = {
    "age_accuracy": "Share of the test images whose age group is predicted right; below, its 95 % interval.",
    "gender_accuracy": "Share of the test images whose gender is predicted right; below, its 95 % interval.",
    "paper_age_accuracy": _PAPER_HELP,
    "paper_gender_accuracy": _PAPER_HELP,
    "age_balanced_accuracy": "Mean of the age groups' recalls: small groups count as much as large ones.",
    "age_one_off_accuracy": "Share of the test images predicted in the true age group or a neighbouring one.",
    "age_mae_years": "Mean absolute error of the predicted age, in years.",
    "gmacs": "Multiply-accumulates of one image, in billions.",
    "fit_seconds": "Seconds of training, validation included.",
    "images_per_second": "Training images per second.",
    "paper_training_time": "As printed, without a unit.",
    "paper_params_millions": "As printed; some are of networks with 1,000 classes.",
}


def overview_grid(table: ComparisonTable) -> Grid:
    """Return the table of the first screen; a difference to the paper is shown in the paper's column."""
    columns = [column for column in table.columns if not column.key.endswith("_minus_paper")]
    headings = [Heading(_title(column), _HELP.get(column.key, ""), is_numeric(column, table)) for column in columns]
    rows = [tuple(_value(table, number, column) for column in columns) for number in range(len(table.rows))]
    return Grid("All configurations, mean over seeds", tuple(headings), tuple(rows), tuple(table.notes))


def _title(column: Column) -> str:
    """Return a title that is clear without the neighbouring columns."""
    if column.title != "paper":
        return column.title
    what = {"age": "Age", "gender": "Gender", "params": "Params", "training": "Time"}
    return f"{what[column.key.removeprefix('paper_').partition('_')[0]]}, paper"


def _value(table: ComparisonTable, number: int, column: Column) -> Cell:
    row = table.rows[number]
    spread = table.spread(number, column.key)
    value = row.get(column.key)
    text = format_value(value, column)
    note = ""
    if spread.deviation is not None:
        text += f" ± {format_value(spread.deviation, column)}"
    if spread.interval is not None:
        note = " to ".join(format_value(end, column) for end in spread.interval)
    elif column.key in _PUBLISHED and isinstance(value, float):
        difference = row.get(_PUBLISHED[column.key])
        text += f" ({difference:+.2f})" if isinstance(difference, float) else ""
        note = " to ".join(f"{100 * end:.2f}" for end in wilson(value / 100 * TEST_IMAGES, TEST_IMAGES))
    return Cell(text, value, spread.mark, note)
