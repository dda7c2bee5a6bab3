"""The comparison table on the console."""

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from agegender.report.tables.rows import Column, ComparisonTable, Value
from agegender.report.tables.text_formats import format_value, is_numeric

_LOG_WIDTH = 200  # characters of a line where the output is not a terminal
_MIN_STATUS_WIDTH = 24  # characters that a reason needs to be readable
_UNLIMITED = 10_000  # characters; a width at which no column is shortened
_DISPENSABLE = (  # columns that a narrow terminal leaves out, in this order
    "gmacs",
    "images_per_second",
    "age_one_off_accuracy",
    "age_balanced_accuracy",
    "age_mae_years",
    "params_millions",
    "fit_seconds",
)
_MARKS = {"best": "[bold]{}[/bold]", "tied": "{}†", "": "{}"}


def print_table(table: ComparisonTable, console: Console | None = None) -> None:
    """Print the table with the paper's values in brackets beside ours, without columns that hold no information.

    Args:
        table: in a narrow terminal the paper's values go below ours, then columns are left out.
        console: default: the standard output. If it is not a terminal, lines have up to 200 characters.
    """
    console = console or Console()
    if not console.is_terminal:
        console = Console(file=console.file, width=_LOG_WIDTH)
    columns = [column for column in table.columns if _is_informative(column, table)]
    console.print(_fitting_view(table, columns, console))
    for note in (*table.legend, *table.notes):
        style = "bold yellow" if note in table.warnings else None
        console.print(note, style=style, markup=False, highlight=False, soft_wrap=True)


def _fitting_view(table: ComparisonTable, columns: list[Column], console: Console) -> Table:
    shown = columns
    narrow = False
    for left_out in range(len(_DISPENSABLE) + 1):
        least = _view(table, shown, narrow=narrow, status_width=_MIN_STATUS_WIDTH)
        if Measurement.get(console, console.options.update(width=_UNLIMITED), least).maximum <= console.width:
            break
        shown = [column for column in columns if column.key not in _DISPENSABLE[:left_out]]
        narrow = True
    return _view(table, shown, narrow=narrow)


def _view(table: ComparisonTable, columns: list[Column], *, narrow: bool, status_width: int | None = None) -> Table:
    view = Table(header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 0 if narrow else 1, 0, 0), pad_edge=False)
    gap = "\n" if narrow else " "
    papers = {column.key: _paper_of(column, table) for column in columns}
    for column in columns:
        title = f"{column.title}{gap}(paper)" if papers[column.key] is not None else column.title
        if column.key == "status":
            view.add_column(title, overflow="fold", max_width=status_width)
        else:
            view.add_column(title, justify="right" if is_numeric(column, table) else "left", no_wrap=True)
    for number, row in enumerate(table.rows):
        marks = {column.key: table.spread(number, column.key).mark for column in columns}
        view.add_row(*(_cell(row, column, papers[column.key], gap, marks[column.key]) for column in columns))
    return view


def _paper_of(column: Column, table: ComparisonTable) -> Column | None:
    """Return the column of the paper's values that follows a column of ours; None without one."""
    index = table.columns.index(column) + 1
    return table.columns[index] if index < len(table.columns) and table.columns[index].title == "paper" else None


def _is_informative(column: Column, table: ComparisonTable) -> bool:
    values = {row.get(column.key) for row in table.rows}
    if column.title == "paper" or column.key.endswith("_minus_paper"):
        return False  # shown within the column before it
    uninformative = {"seed": {0}, "seeds": {"0"}, "status": {"complete"}}
    return values != uninformative.get(column.key)


def _cell(row: dict[str, Value], column: Column, paper: Column | None, gap: str, mark: str) -> str:
    text = _MARKS[mark].format(escape(format_value(row.get(column.key), column)))
    if paper is not None and row.get(paper.key) is not None:
        text += f"{gap}({format_value(row[paper.key], paper)})"
    return text
