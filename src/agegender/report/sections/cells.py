"""Cells that the sections' tables share."""

from agegender.report.page.document import Cell
from agegender.report.statistics.analysis import Estimate
from agegender.report.statistics.scores import Score


def text_cell(value: object) -> Cell:
    """A cell of text."""
    shown = " ".join(str(value).split())
    return Cell(shown, shown)


def number_cell(value: float | None, decimals: int = 0) -> Cell:
    """A cell of a number, with thousands apart; a dash where there is none."""
    return Cell("-") if value is None else Cell(f"{value:,.{decimals}f}", float(value))


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
