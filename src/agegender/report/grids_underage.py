"""The tables of the under-age claim."""

from collections.abc import Sequence

import numpy as np

from agegender.report.age_check import WrongSide
from agegender.report.crossed import Mean, crossed_mean
from agegender.report.document import Cell, Grid, Heading
from agegender.report.significance import LEVEL, holm
from agegender.report.underage import AgeLimits, PairedDifference, PredictedOlder

_BELOW = "Mean over seeds; below, its 95 % interval and the number of images."
_PAIRED = "Configuration minus plain loss on the same images, in points; below, the paired 95 % interval."
_TESTED = "Two networks: McNemar's exact test; several seeds: crossed over images and seeds."


def predicted_older(rows: Sequence[tuple[str, PredictedOlder]], group: str, limits: AgeLimits) -> Grid:
    """Show who of the group 13-20 (15-20) is predicted older; the paper: over 52 % with the plain loss."""
    cells = [
        (Cell(label, label), share_cell(crossed_mean(older.group)), share_cell(crossed_mean(older.minors)))
        for label, older in rows
    ]
    headings = (
        Heading("Configuration"),
        Heading(f"All of {group}, %", _BELOW, numeric=True),
        Heading(f"Under {limits.threshold_age:g} alone, %", _BELOW, numeric=True),
    )
    title = f"Test images of the age group {group} that are predicted in an older group"
    single = any(len(older.group) == 1 for _, older in rows)
    return Grid(title, headings, tuple(cells), _notes(single=single))


def differences(rows: Sequence[tuple[str, Sequence[PairedDifference]]], group: str, limits: AgeLimits) -> Grid:
    """Show what each configuration changes against the plain loss of the same network.

    Args:
        rows: a label, and the differences of the whole group and of its minors.
        group: its name.
        limits: who is a minor.
    """
    adjusted = [holm([pairs[column].p_value for _, pairs in rows]) for column in range(2)]
    cells = []
    for at, (label, pairs) in enumerate(rows):
        row = [Cell(label, label)]
        for column, pair in enumerate(pairs):
            row += _difference_cells(pair, float(adjusted[column][at]))
        cells.append(tuple(row))
    headings = [Heading("Configuration")]
    for part in (f"All of {group}", f"Under {limits.threshold_age:g}"):
        headings.append(Heading(f"{part}, points", _PAIRED, numeric=True))
        headings.append(Heading("p", _TESTED, numeric=True))
        headings.append(Heading("Adjusted p", "Holm's correction for all rows of this column.", numeric=True))
    title = "Predicted in an older group: difference to the plain loss of the same network"
    note = "Each interval covers 95 % on its own; the adjusted p-values alone allow for the number of rows."
    return Grid(title, tuple(headings), tuple(cells), (note,))


def wrong_side(title: str, rows: Sequence[tuple[str, WrongSide]], limits: AgeLimits, *notes: str) -> Grid:
    """Show who is taken for the wrong side of the threshold.

    Args:
        title: which age is asked for.
        rows: a label and its shares.
        limits: who is a minor.
        notes: lines below the table.
    """
    cells = [
        (
            Cell(label, label),
            _asked_cell(found.asked),
            share_cell(found.teenagers),
            share_cell(found.minors),
            share_cell(found.adults),
        )
        for label, found in rows
    ]
    pass_as = "that pass as adults: false positives."
    headings = (
        Heading("Configuration"),
        Heading("Age asked for", "Predicted age from which on a face passes as an adult, years.", numeric=True),
        Heading(f"{limits.teenage_years} pass, %", f"Share of minors of 13 years or more {pass_as} {_BELOW}", True),
        Heading("All minors pass, %", f"Share of all minors {pass_as} {_BELOW}", numeric=True),
        Heading("Adults refused, %", f"Share of the adults that do not pass: false negatives. {_BELOW}", True),
    )
    single = any(len(found.asked) == 1 for _, found in rows)
    return Grid(title, headings, tuple(cells), (*_notes(single=single), *notes))


def share_cell(mean: Mean) -> Cell:
    """Show a share in percent with its interval and number of images; a dash without an image."""
    if not mean.num_images:
        return Cell("-")
    low, high = mean.share_interval()
    return Cell(
        f"{100 * mean.value:.1f}", mean.value, note=f"{100 * low:.1f} to {100 * high:.1f}, n = {mean.num_images:,}"
    )


def _difference_cells(pair: PairedDifference, adjusted: float) -> tuple[Cell, Cell, Cell]:
    if not pair.mean.num_images:
        return Cell("-"), Cell("-"), Cell("-")
    low, high = pair.mean.interval()
    difference = Cell(f"{100 * pair.mean.value:+.1f}", pair.mean.value, note=f"{100 * low:+.1f} to {100 * high:+.1f}")
    return difference, _p_cell(pair.p_value), _p_cell(adjusted)


def _p_cell(value: float) -> Cell:
    return Cell("< 0.0001" if value < 1e-4 else f"{value:.4f}", value)


def _asked_cell(asked: Sequence[float]) -> Cell:
    """Show the mean age that is asked for; below, that of each seed where they differ."""
    shown = list(dict.fromkeys(f"{age:.1f}" for age in asked))
    if len(shown) == 1:
        return Cell(f"{asked[0]:.4g}", asked[0])
    return Cell(f"{np.mean(asked):.1f}", float(np.mean(asked)), note=", ".join(f"{age:.1f}" for age in asked))


def _notes(*, single: bool) -> tuple[str, ...]:
    covered = f"Intervals: {100 * (1 - LEVEL):g} %, Wilson's, over test images and training seeds together."
    alone = "A configuration of one seed has an interval over images alone: of that network, not of its method."
    return (covered, alone) if single else (covered,)
