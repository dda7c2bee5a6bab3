"""A report as plain values, before it is a page: sections of text, tables and figures."""

from dataclasses import dataclass, field

Sortable = str | float | None


@dataclass(frozen=True)
class Figure:
    """A picture.

    Attributes:
        key: name of its files, without a suffix: lower case letters, digits and dashes.
        title: one line, above it.
        alt: what it shows, for those who do not see it.
        png: at twice the size that it is shown at.
        svg: None for a picture of photographs.
        width: CSS pixels that it is shown at, at most.
        local: it shows faces of the data set, whose licence forbids to pass them on: it stays on this machine.
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
        text: as it is shown; never HTML.
        sort: what it is sorted by; None stands last.
        mark: `best` (the highest, of errors the lowest), `tied` (not significantly lower), `worst`, or nothing.
        note: small, below the value: an interval, or the paper's number.
    """

    text: str
    sort: Sortable = None
    mark: str = ""
    note: str = ""


@dataclass(frozen=True)
class Heading:
    """The head of a column.

    Attributes:
        title: short.
        help: what it means, one sentence; shown on demand.
        numeric: aligned to the right, sorted from high to low first.
    """

    title: str
    help: str = ""
    numeric: bool = False


@dataclass(frozen=True)
class Grid:
    """A table that can be sorted.

    Attributes:
        caption: one line.
        headings: C of them.
        rows: of C cells each; the first names the row.
        notes: lines below it.
    """

    caption: str
    headings: tuple[Heading, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """A part of the report.

    Attributes:
        key: its anchor: lower case letters, digits and dashes.
        title: one line.
        paragraphs: text, never HTML.
        blocks: tables and figures, in order.
        folded: shown closed at first: an appendix.
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
        verdict: what the tests allow to say, one sentence or two.
        warnings: why rows must not be compared, if so; shown at the table.
        table: the comparison; first screen. None on a page of faces.
        sections: the rest.
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
