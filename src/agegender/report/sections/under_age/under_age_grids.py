"""Tables of the section on under-age faces."""

from collections.abc import Sequence

import numpy as np

from agegender.report.page.document import Cell, Grid, Heading
from agegender.report.sections.under_age.age_check import WrongSide
from agegender.report.statistics.age_limits import AgeLimits
from agegender.report.statistics.boundary_errors import BoundaryErrors, PairedDifference
from agegender.report.statistics.crossed import Mean, crossed_mean
from agegender.report.statistics.significance import holm
from agegender.report.tables.text_formats import format_p

_BELOW = "Mean over seeds; below, its 95 % interval and the number of images."
_PAIRED = "Configuration minus plain loss on the same images; below, the paired 95 % interval."
_TESTED = (
    "Two networks: McNemar's exact test; several seeds: crossed over images and seeds. Below, with Holm's correction."
)


def boundary_errors_grid(rows: Sequence[tuple[str, BoundaryErrors]], group: str, limits: AgeLimits) -> Grid:
    """Return a table of who of the group 13-20 (15-20) is predicted older; the paper: over 52 % with the plain loss."""
    cells = [
        (Cell(label, label), *(share_cell(crossed_mean(hits)) for hits in (found.group, found.minors, found.older)))
        for label, found in rows
    ]
    headings = [Heading("Configuration")]
    headings += [
        Heading(f"{title}, %", f"{help_text} {_BELOW}", numeric=True) for title, help_text in _parts(group, limits)
    ]
    title = f"Test images of the age group {group} that are predicted in an older group, and the reverse"
    return Grid(title, tuple(headings), tuple(cells))


def plain_differences_grid(
    rows: Sequence[tuple[str, Sequence[PairedDifference]]], group: str, limits: AgeLimits
) -> Grid:
    """Return a table of the difference of each configuration to the plain loss of the same network.

    Args:
        rows: a label, and the differences of the three shares in `boundary_errors_grid`.
        group: the name of the group.
        limits: who is a minor.
    """
    parts = _parts(group, limits)
    adjusted = np.array([holm([pairs[column].p_value for _, pairs in rows]) for column in range(len(parts))])
    cells = []
    for at, (label, pairs) in enumerate(rows):
        row = [Cell(label, label)]
        for column, pair in enumerate(pairs):
            row += _difference_cells(pair, float(adjusted[column, at]))
        cells.append(tuple(row))
    headings = [Heading("Configuration")]
    for title, help_text in parts:
        headings.append(Heading(f"{title}, points", f"{help_text} {_PAIRED}", numeric=True))
        headings.append(Heading("p", _TESTED, numeric=True))
    notes = ["Each interval covers 95 % on its own. Adjusted: Holm's correction for all rows of the column."]
    single = [label for label, pairs in rows if any(pair.single for pair in pairs)]
    if single:
        which = "All rows" if len(single) == len(rows) else ", ".join(single)
        notes.append(
            f"{which}: at least one side has a single seed, so interval and p are about these networks; another "
            "training of the same method may differ by more."
        )
    title = "Difference of these shares to the plain loss of the same network"
    return Grid(title, tuple(headings), tuple(cells), tuple(notes))


def _parts(group: str, limits: AgeLimits) -> tuple[tuple[str, str], ...]:
    """Return titles and explanations of the three shares."""
    return (
        ("Whole group", f"Images of the group {group} that are predicted in an older group."),
        (f"Under {limits.threshold_age:g}", "Only those of them that show minors."),
        ("Reverse", f"Images of older groups that are predicted in {group} or a younger group."),
    )


def wrong_side_grid(title: str, rows: Sequence[tuple[str, WrongSide]], limits: AgeLimits) -> Grid:
    """Return a table of the shares on the wrong side of the threshold.

    Args:
        title: of the table, which names the required age.
        rows: a label and its shares.
        limits: who is a minor.
    """
    cells = [
        (
            Cell(label, label),
            _required_age_cell(found.required_ages),
            share_cell(found.teenagers),
            share_cell(found.minors),
            share_cell(found.adults),
        )
        for label, found in rows
    ]
    pass_as = "that pass as adults: false positives."
    headings = (
        Heading("Configuration"),
        Heading("Required age", "Predicted age at which a face passes as an adult, in years.", numeric=True),
        Heading(f"{limits.teenage_years} pass, %", f"Share of minors of 13 years or more {pass_as} {_BELOW}", True),
        Heading("All minors pass, %", f"Share of all minors {pass_as} {_BELOW}", numeric=True),
        Heading("Adults refused, %", f"Share of the adults that do not pass: false negatives. {_BELOW}", True),
    )
    return Grid(title, headings, tuple(cells))


def share_cell(mean: Mean) -> Cell:
    """Return a cell of a share in percent with its interval and number of images; a dash without an image."""
    if not mean.num_images:
        return Cell("-")
    low, high = mean.share_interval()
    return Cell(
        f"{100 * mean.value:.1f}", mean.value, note=f"{100 * low:.1f} to {100 * high:.1f}, n = {mean.num_images:,}"
    )


def _difference_cells(pair: PairedDifference, adjusted: float) -> tuple[Cell, Cell]:
    if not pair.mean.num_images:
        return Cell("-"), Cell("-")
    low, high = pair.mean.interval()
    difference = Cell(f"{100 * pair.mean.value:+.1f}", pair.mean.value, note=f"{100 * low:+.1f} to {100 * high:+.1f}")
    return difference, Cell(format_p(pair.p_value), pair.p_value, note=f"adjusted {format_p(adjusted)}")


def _required_age_cell(required_ages: Sequence[float]) -> Cell:
    """Return a cell of the mean required age; below, the age of each seed where they differ."""
    mean = float(np.mean(required_ages))
    each = ", ".join(_age(age) for age in required_ages) if len(set(required_ages)) > 1 else ""
    return Cell(_age(mean), mean, note=each)


def _age(years: float) -> str:
    return f"{years:.0f}" if years == round(years) else f"{years:.1f}"
