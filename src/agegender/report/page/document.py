"""The content of a report, independent of HTML: sections of text, tables and figures."""

from dataclasses import dataclass, field

Sortable = str | float | None


@dataclass(frozen=True)
class Figure:
    """A picture.

    Attributes:
        key: name of its files without the suffix: lower case letters, digits and dashes.
        title: one line, shown above it.
        alt: what it shows, for screen readers.
        png: at twice the resolution that it is shown at.
        svg: None for a picture of photographs.
        width: CSS pixels, at most.
        local: whether it shows faces of the data set, whose licence does not allow sharing them.
    """

    key: str
    title: str
    alt: str
    png: bytes
    svg: str | None
    width: int
    local: bool = False


@dataclass(frozen=True)
class Cell:
    """One value of a table.

    Attributes:
        text: as it is shown; plain text, not HTML.
        sort: value to sort by; None is sorted last.
        mark: `best` (the highest; of errors the lowest), `tied` (not significantly lower), `worst`, or empty.
        note: shown in small type below the value: an interval, or the paper's number.
        link: address that the text leads to, http or https; empty: none.
    """

    text: str
    sort: Sortable = None
    mark: str = ""
    note: str = ""
    link: str = ""


@dataclass(frozen=True)
class Heading:
    """The heading of a column.

    Attributes:
        title: short.
        help: what the column means, one sentence; shown on demand.
        numeric: whether it is aligned to the right, and sorted in descending order first.
    """

    title: str
    help: str = ""
    numeric: bool = False


@dataclass(frozen=True)
class Grid:
    """A table that can be sorted.

    Attributes:
        caption: one line.
        headings: C headings.
        rows: C cells each; the first cell names the row.
        notes: lines below the table.
    """

    caption: str
    headings: tuple[Heading, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """A part of the report.

    Attributes:
        key: its anchor in the page: lower case letters, digits and dashes.
        title: one line.
        paragraphs: plain text, not HTML.
        blocks: tables and figures, in order.
        folded: whether it is collapsed at first, as an appendix is.
    """

    key: str
    title: str
    paragraphs: tuple[str, ...] = ()
    blocks: tuple[Grid | Figure, ...] = ()
    folded: bool = False


@dataclass(frozen=True)
class Document:
    """A whole report.

    Attributes:
        title: name of the sweep.
        verdict: the conclusion that the tests allow, a sentence or two.
        warnings: reasons why rows must not be compared; shown above the table.
        table: the comparison table, on the first screen; None on a page of faces.
        sections: everything else.
    """

    title: str
    verdict: str
    warnings: tuple[str, ...]
    table: Grid | None
    sections: tuple[Section, ...] = field(default=())

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All figures, in order."""
        return tuple(block for section in self.sections for block in section.blocks if isinstance(block, Figure))
