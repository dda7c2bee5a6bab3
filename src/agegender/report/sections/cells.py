"""Cells that the sections' tables share."""

import math

from agegender.report.page.document import Cell
from agegender.report.statistics.analysis import Estimate
from agegender.report.statistics.scores import Score


def text_cell(value: object) -> Cell:
    """Return a cell of text."""
    line = " ".join(str(value).split())
    return Cell(line, line)


def number_cell(value: float | None, decimals: int = 0) -> Cell:
    """Return a cell of a number, with thousands separators; a dash for None."""
    return Cell("-") if value is None else Cell(f"{value:,.{decimals}f}", float(value))


def estimate_cell(estimate: Estimate, score: Score, mark: str = "", *, signed: bool = False) -> Cell:
    """Return a cell of an estimate in its unit, with its interval below."""
    if math.isnan(estimate.value):
        return Cell("-", None, mark)
    scale = 100 if score.unit == "%" else 1
    decimals = 2 if score.unit else 3
    sign = "+" if signed else ""
    text = f"{scale * estimate.value:{sign}.{decimals}f}"
    if estimate.deviation is not None:
        text += f" ± {scale * estimate.deviation:.{decimals}f}"
    note = ""
    if estimate.interval is not None:
        note = " to ".join(f"{scale * end:{sign}.{decimals}f}" for end in estimate.interval)
    return Cell(text, estimate.value, mark, note)
