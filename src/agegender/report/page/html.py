"""Render a document as one self-contained HTML page: no server, no network, no other file. All values are escaped."""

import base64
import hashlib
import shlex
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from agegender.report.page.document import Cell, Document, Figure, Grid

_PACKAGE = "agegender.report.page"
_LONG_TABLE = 30  # rows; a longer table scrolls below its headings
_PNG_SIZE = slice(16, 24)  # width and height in a PNG's first chunk, four bytes each


@dataclass(frozen=True)
class Mark:
    """How a mark is shown: a symbol, which does not depend on colours, and what it means."""

    symbol: str
    meaning: str


MARKS = {
    "best": Mark("★", "highest (lowest for errors)"),
    "tied": Mark("≈", "not significantly lower, which is not the same as equal"),
    "worst": Mark("▼", "worst off"),
}


def render(document: Document, *, public: bool = False) -> str:
    """Write the page of a report.

    Args:
        document: its content.
        public: leave out figures that show faces.

    Returns:
        HTML that can be encoded as UTF-8, even if file names hold invalid bytes.
    """
    style = _source("page.css")
    script = _source("page.js")
    page = _template().render(
        document=document,
        public=public,
        style=style,
        script=script,
        policy=_policy(style, script),
        command=f"agegender report {shlex.quote(f'runs/{document.title}')}",
    )
    return page.encode(errors="surrogatepass").decode(errors="replace")


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader(_PACKAGE, ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"ranks": _ranks, "source": _picture, "height": _height, "marks_of": _marks_of}
    environment.globals |= {"MARKS": MARKS, "LONG_TABLE": _LONG_TABLE}
    return environment.get_template("page.html.jinja")


@cache
def _source(name: str) -> Markup:
    return Markup((files(_PACKAGE) / name).read_text(encoding="utf-8"))  # our own file, so not escaped


def _policy(style: str, script: str) -> str:
    """Return a content security policy that allows only this style, this script, and pictures inside the page."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    return (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _ranks(grid: Grid) -> list[list[int | None]]:
    """Return the rank of each value in its column, ascending: C lists of R. Equal values share one; None: sort last."""
    columns = list(zip(*grid.rows, strict=True)) or [()] * len(grid.headings)
    ranks = []
    for column in columns:
        keys = [_sort_key(cell) for cell in column]
        order = {key: rank for rank, key in enumerate(sorted({key for key in keys if key is not None}))}
        ranks.append([None if key is None else order[key] for key in keys])
    return ranks


def _sort_key(cell: Cell) -> tuple[float, str] | None:
    """Return a key that sorts numbers before text, and text without regard to case; None for None and NaN."""
    if cell.sort is None or cell.sort != cell.sort:
        return None
    return (float("inf"), cell.sort.casefold()) if isinstance(cell.sort, str) else (cell.sort, "")


def _marks_of(grid: Grid) -> list[str]:
    used = {cell.mark for row in grid.rows for cell in row}
    return [mark for mark in MARKS if mark in used]


def _picture(figure: Figure) -> str:
    kind, content = ("png", figure.png) if figure.svg is None else ("svg+xml", figure.svg.encode())
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _height(figure: Figure) -> int:
    """Return the height in CSS pixels at full width, which keeps the layout from shifting when the picture loads."""
    size = figure.png[_PNG_SIZE]
    return round(figure.width * int.from_bytes(size[4:], "big") / int.from_bytes(size[:4], "big"))
