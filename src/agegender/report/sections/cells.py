"""Cells that the sections' tables share."""

from agegender.report.page.document import Cell


def text(value: object) -> Cell:
    """A cell of text."""
    shown = " ".join(str(value).split())
    return Cell(shown, shown)


def number(value: float | None, decimals: int = 0) -> Cell:
    """A cell of a number, with thousands apart; a dash where there is none."""
    return Cell("-") if value is None else Cell(f"{value:,.{decimals}f}", float(value))
