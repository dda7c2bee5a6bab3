"""The report's tables of who is served how well."""

from collections.abc import Sequence

from agegender.report.document import Cell, Grid, Heading
from agegender.report.runs import TASKS
from agegender.report.slices import Accuracy, Slice


def slices(label: str, parts: Sequence[Slice], worst: dict[str, Slice | None]) -> Grid:
    """Show every slice of a configuration with an image in it.

    Args:
        label: of the configuration.
        parts: as `slices.slices` returns them.
        worst: the slice that is worst off, by task; its accuracy is marked.
    """
    rows = []
    for part in parts:
        if not part.num_images:
            continue
        cells = [Cell(part.name, part.name), Cell(f"{part.num_images:,}", part.num_images)]
        for task in TASKS:
            accuracy = part.accuracy[task]
            mark = "worst" if part is worst[task] else ""
            cells.append(_share(accuracy.value, accuracy.interval, mark))
            cells.append(_rest(accuracy))
        rows.append(tuple(cells))
    headings = [Heading("Slice"), Heading("Images", numeric=True)]
    for task in TASKS:
        title = task.capitalize()
        headings += [
            Heading(f"{title} accuracy, %", "Below, an interval; all of the column hold at once with 95 %.", True),
            Heading(f"{title}, rest of its age group, %", "Below, the adjusted p-value that it is no worse.", True),
        ]
    empty = sum(part.num_images == 0 for part in parts)
    notes = (f"{empty} slices have no test image.",) if empty else ()
    return Grid(f"{label}: gender x race x age group", tuple(headings), tuple(rows), notes)


def _rest(accuracy: Accuracy) -> Cell:
    """Show what a combination is compared with; nothing of single labels."""
    if accuracy.rest != accuracy.rest:
        return Cell("-")
    return Cell(f"{100 * accuracy.rest:.1f}", accuracy.rest, note=_p(accuracy.p_value))


def _share(value: float, interval: tuple[float, float], mark: str = "") -> Cell:
    return Cell(f"{100 * value:.1f}", value, mark, f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}")


def _p(value: float) -> str:
    return "p < 0.0001" if value < 1e-4 else f"p = {value:.4f}"
