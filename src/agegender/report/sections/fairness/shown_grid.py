"""The report's summary of fairness: which differences are statistically shown, one row per configuration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agegender.records.predictions import TASKS
from agegender.report.page.document import Cell, Grid, Heading
from agegender.report.sections.fairness.equalized_odds import RecallGap
from agegender.report.sections.fairness.fairness_grids import GapsByTask, p_text
from agegender.report.sections.fairness.gaps import simultaneous_level
from agegender.report.sections.fairness.slices import Slice
from agegender.report.statistics.significance import LEVEL

_NONE = "none is shown"


@dataclass(frozen=True)
class ShownDifferences:
    """Differences of one configuration, and which of them are shown.

    Attributes:
        gaps: by task.
        recall_gaps: the largest first; empty where no two races are compared.
        worst: by task, the slice that is worst off; None where none is shown to be.
    """

    gaps: GapsByTask
    recall_gaps: Sequence[RecallGap]
    worst: Mapping[str, Slice | None]


def shown_grid(found: Mapping[str, ShownDifferences]) -> Grid:
    """Return a table of the shown differences; `found` is by label of the configuration."""
    rows = []
    for label, one in found.items():
        level = simultaneous_level(one.gaps)
        cells = [Cell(label, label)]
        for task in TASKS:
            shown = [f"{gap.name} {100 * gap.within.value:+.1f}" for gap in one.gaps[task] if gap.is_shown(level)]
            cells.append(Cell(", ".join(shown) or _NONE))
        cells.append(_largest(one.recall_gaps))
        cells += [_worst_off(one.worst[task], task) for task in TASKS]
        rows.append(tuple(cells))
    gap_help = "A race against all others, female against male faces, in points; the table of gaps lists all of them."
    recall_help = "For male or female faces, all pairs of races compared; below, the p-value, adjusted by Holm."
    worst_help = "Below, its accuracy and number of images, and the accuracy of the rest of its age group."
    headings = (
        Heading("Configuration"),
        *(Heading(f"{task.capitalize()} gaps within age groups", gap_help) for task in TASKS),
        Heading("Largest gap of recall, points", recall_help),
        *(Heading(f"Worst off at {task}", worst_help) for task in TASKS),
    )
    return Grid("Differences that are shown", headings, tuple(rows))


def _largest(gaps: Sequence[RecallGap]) -> Cell:
    if not gaps:
        return Cell("-")
    gap = gaps[0]
    num_shown = sum(one.p_value < LEVEL for one in gaps)
    answer = "shown" if gap.p_value < LEVEL else "not shown"
    text = f"{100 * gap.value:.1f}: {gap.gender}, {gap.higher} above {gap.lower}"
    note = f"{answer}, {p_text(gap.p_value)}; {num_shown} of {len(gaps)} gaps shown"
    return Cell(text, gap.value, note=note)


def _worst_off(part: Slice | None, task: str) -> Cell:
    if part is None:
        return Cell(_NONE)
    accuracy = part.accuracy[task]
    note = f"{100 * accuracy.value:.1f} % of {part.num_images:,}, the rest {100 * accuracy.rest:.1f} %"
    return Cell(part.name, accuracy.value, "worst", note)
