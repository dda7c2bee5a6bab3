"""The table as Markdown, CSV and LaTeX, and on the console."""

import csv
import io
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table
from tabulate import tabulate

from agegender.record import read_all, write_atomically
from agegender.report.table import Column, Comparison, Value, compare

_NONE = "-"
_NOT_A_TERMINAL = 200  # characters of a line in a log file
_MARKDOWN = str.maketrans({"|": "\\|", "\\": "\\\\", "<": "&lt;"})  # what would end a cell, or begin HTML
_LONGEST_STATUS = 120  # characters of a reason in a cell; the record has all of it
_LEAST_STATUS = 24  # characters of a line in which a reason can be read
_UNLIMITED = 10_000  # characters: a width at which nothing is squeezed
_DISPENSABLE = (  # in a narrow terminal, the first of these first
    *("gmacs", "images_per_second", "age_one_off_accuracy", "age_balanced_accuracy", "age_mae_years"),
    *("params_millions", "fit_seconds"),
)


def write_report(folder: Path) -> Comparison:
    """Rebuild runs/<name>/report from the records below runs/<name>.

    Returns:
        The table that was written.
    """
    entries = read_all(folder)
    table = compare([(path, entry) for path, entry in entries if "eval" not in path.relative_to(folder).parts])
    report = folder / "report"
    notes = "\n".join(f"- {note}" for note in table.notes)
    write_atomically(report / "table.md", f"# {folder.name}\n\n{_tabulate(table, 'github')}\n\n{notes}\n")
    write_atomically(report / "table.tex", _latex(table))
    write_atomically(report / "table.csv", _csv(table))
    return table


def format_value(value: Value, column: Column) -> str:
    """Show a value as the column asks, a dash where there is none."""
    if value is None:
        return _NONE
    if isinstance(value, float):
        return f"{value:.{column.decimals}f}"
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST_STATUS else text[: _LONGEST_STATUS - 1] + "…"


def _tabulate(table: Comparison, style: str) -> str:
    rows = [[format_value(row.get(column.key), column) for column in table.columns] for row in table.rows]
    if style == "github":
        rows = [[cell.translate(_MARKDOWN) for cell in row] for row in rows]
    titles = [column.title for column in table.columns]
    numeric = [_is_numeric(column, table) for column in table.columns]
    alignment = ["right" if right else "left" for right in numeric]
    return tabulate(rows, titles, tablefmt=style, disable_numparse=True, colalign=alignment if rows else None)


def _is_numeric(column: Column, table: Comparison) -> bool:
    return any(isinstance(row.get(column.key), float | int) for row in table.rows)


def _latex(table: Comparison) -> str:
    comments = "\n".join(f"% {note}" for note in table.notes)
    return f"{comments}\n% needs \\usepackage{{booktabs}}\n{_tabulate(table, 'latex_booktabs')}\n"


def _csv(table: Comparison) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.key for column in table.columns])
    writer.writerows([row.get(column.key) for column in table.columns] for row in table.rows)
    return text.getvalue()


def print_table(table: Comparison, console: Console | None = None) -> None:
    """Print the table, the paper's value in brackets with ours, without columns that say nothing.

    Args:
        table: what to print. In a narrow terminal the paper's value goes below ours, then columns are left out.
        console: where; the standard output by default, as wide as the table needs where that is not a terminal.
    """
    console = console or Console()
    if not console.is_terminal:
        console = Console(file=console.file, width=_NOT_A_TERMINAL)
    columns = [column for column in table.columns if _says_something(column, table)]
    console.print(_fitting_view(table, columns, console))
    for note in table.notes:
        style = "bold yellow" if note in table.warnings else None
        console.print(note, style=style, markup=False, highlight=False, soft_wrap=True)


def _fitting_view(table: Comparison, columns: list[Column], console: Console) -> Table:
    shown, narrow = columns, False
    for left_out in range(len(_DISPENSABLE) + 1):
        least = _view(table, shown, narrow=narrow, status_width=_LEAST_STATUS)
        if Measurement.get(console, console.options.update(width=_UNLIMITED), least).maximum <= console.width:
            break
        shown, narrow = [column for column in columns if column.key not in _DISPENSABLE[:left_out]], True
    return _view(table, shown, narrow=narrow)


def _view(table: Comparison, columns: list[Column], *, narrow: bool, status_width: int | None = None) -> Table:
    view = Table(header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 0 if narrow else 1, 0, 0), pad_edge=False)
    gap = "\n" if narrow else " "
    papers = {column.key: _paper_of(column, table) for column in columns}
    for column in columns:
        title = f"{column.title}{gap}(paper)" if papers[column.key] is not None else column.title
        if column.key == "status":
            view.add_column(title, overflow="fold", max_width=status_width)
        else:
            view.add_column(title, justify="right" if _is_numeric(column, table) else "left", no_wrap=True)
    for row in table.rows:
        view.add_row(*(_cell(row, column, papers[column.key], gap) for column in columns))
    return view


def _paper_of(column: Column, table: Comparison) -> Column | None:
    """The column of published values that follows a column of ours."""
    index = table.columns.index(column) + 1
    return table.columns[index] if index < len(table.columns) and table.columns[index].title == "paper" else None


def _says_something(column: Column, table: Comparison) -> bool:
    values = {row.get(column.key) for row in table.rows}
    if column.title == "paper":
        return False  # it stands with the column before it
    return not (column.key == "seed" and values == {0}) and not (column.key == "status" and values == {"complete"})


def _cell(row: dict[str, Value], column: Column, paper: Column | None, gap: str) -> str:
    text = format_value(row.get(column.key), column)
    if paper is not None and row.get(paper.key) is not None:
        text += f"{gap}({format_value(row[paper.key], paper)})"
    return escape(text)
