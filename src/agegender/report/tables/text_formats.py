"""The comparison table as Markdown, CSV and LaTeX."""

import csv
import io

from tabulate import tabulate

from agegender.report.tables.rows import Column, ComparisonTable, Spread, Value

_NONE = "-"
_MARKDOWN = str.maketrans({"|": "\\|", "\\": "\\\\", "<": "&lt;"})  # characters that would end a cell or start HTML
_MAX_STATUS_LENGTH = 120  # characters of a reason in a cell; the record has the whole reason
_BOLD = ("\ue000", "\ue001")  # private-use characters, which no text contains
_SPREAD_COLUMNS = ("std", "low", "high")  # suffixes of the CSV's columns for the spread of a value


def markdown(table: ComparisonTable) -> str:
    """Return a table in GitHub's Markdown."""
    rows = [[_marked(cell.translate(_MARKDOWN), spread, "**", "**") for cell, spread in row] for row in _cells(table)]
    return _tabulate(table, rows, "github")


def latex(table: ComparisonTable) -> str:
    """Return a table in LaTeX, for the package booktabs."""
    rows = [[_marked(cell, spread, *_BOLD) for cell, spread in row] for row in _cells(table)]
    body = _tabulate(table, rows, "latex_booktabs")  # escapes LaTeX commands, so bold text is added after it
    body = body.replace(_BOLD[0], "\\textbf{").replace(_BOLD[1], "}")
    comments = "\n".join(f"% {note}" for note in (*table.legend, *table.notes))
    return f"{comments}\n% needs \\usepackage{{booktabs}}\n{body}\n"


def as_csv(table: ComparisonTable) -> str:
    """Return a CSV of all numbers in full precision, with standard deviation and interval where they are known."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    with_spread = [column.key for column in table.columns if any(column.key in spread for spread in table.spreads)]
    writer.writerow(
        [column.key for column in table.columns] + [f"{key}_{end}" for key in with_spread for end in _SPREAD_COLUMNS]
    )
    for number, row in enumerate(table.rows):
        spreads = [table.spread(number, key) for key in with_spread]
        ends = [value for spread in spreads for value in (spread.deviation, *(spread.interval or (None, None)))]
        writer.writerow([row.get(column.key) for column in table.columns] + ends)
    return text.getvalue()


def format_value(value: Value, column: Column) -> str:
    """Format a value with the decimals of its column; None as a dash."""
    if value is None:
        return _NONE
    if isinstance(value, float):
        return f"{value:.{column.decimals}f}"
    text = " ".join(str(value).split())
    return text if len(text) <= _MAX_STATUS_LENGTH else text[: _MAX_STATUS_LENGTH - 1] + "…"


def is_numeric(column: Column, table: ComparisonTable) -> bool:
    """Return whether any row has a number in a column."""
    return any(isinstance(row.get(column.key), float | int) for row in table.rows)


def _cells(table: ComparisonTable) -> list[list[tuple[str, Spread]]]:
    """Return text and spread of every cell; the text includes the deviation."""
    return [
        [
            (_text(row.get(column.key), column, table.spread(number, column.key)), table.spread(number, column.key))
            for column in table.columns
        ]
        for number, row in enumerate(table.rows)
    ]


def _text(value: Value, column: Column, spread: Spread) -> str:
    text = format_value(value, column)
    return text if spread.deviation is None else f"{text} ± {format_value(spread.deviation, column)}"


def _marked(text: str, spread: Spread, begin: str, end: str) -> str:
    if spread.mark == "best":
        return f"{begin}{text}{end}"
    return f"{text}†" if spread.mark == "tied" else text


def _tabulate(table: ComparisonTable, rows: list[list[str]], style: str) -> str:
    titles = [column.title for column in table.columns]
    alignment = ["right" if is_numeric(column, table) else "left" for column in table.columns]
    return tabulate(rows, titles, tablefmt=style, disable_numparse=True, colalign=alignment if rows else None)


def format_p(value: float) -> str:
    """Format a p-value with four decimals, or as `< 0.0001`."""
    return "< 0.0001" if value < 1e-4 else f"{value:.4f}"
