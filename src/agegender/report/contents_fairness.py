"""The report's section on who is served how well."""

from agegender.report import grids_fairness, slices
from agegender.report.analysis import TASKS, Analysis
from agegender.report.chosen import MOST_SHOWN, focus, predictions_of
from agegender.report.document import Figure, Grid, Section
from agegender.report.runs import Configuration, Sweep

_TITLE = "Who is served how well"
_LABELS = (
    "Gender and race are the labels of the data set: binary, and perceived from the face, not told by the person. All "
    "shares, intervals and tests are of the test images and of the seeds of each configuration by itself."
)
_WORST_OFF = (
    "Worst off: of the combinations of gender, race and age group that are right significantly less often than the "
    "rest of their own age group, the one with the lowest accuracy (Fisher's exact test of each seed, seeds combined "
    "by twice their mean p-value, Holm's adjustment for all combinations of a configuration and task, 5 %)."
)


def fairness_section(sweep: Sweep, analysis: Analysis) -> Section:
    """Slices, for the configurations that the report looks at closely."""
    chosen = focus(sweep, analysis)[:MOST_SHOWN]
    if not chosen:
        return Section("fairness", _TITLE)
    text: list[str] = [_LABELS]
    blocks: list[Grid | Figure] = []
    for configuration in chosen:
        parts = slices.slices(predictions_of(configuration))
        worst = {task: slices.worst_off(parts, task) for task in TASKS}
        text += _worst_off_lines(configuration, worst)
        blocks.append(grids_fairness.slices(configuration.label, parts, worst))
    text.append(_WORST_OFF)
    return Section("fairness", _TITLE, tuple(text), tuple(blocks))


def _worst_off_lines(configuration: Configuration, worst: dict[str, slices.Slice | None]) -> list[str]:
    lines = []
    for task, part in worst.items():
        if part is None:
            lines.append(f"{configuration.label}, {task}: no slice is shown to be served worse than its own age group.")
            continue
        accuracy = part.accuracy[task]
        lines.append(
            f"{configuration.label}, {task}: worst off is {part.name}, {100 * accuracy.value:.1f} % right of "
            f"{part.num_images:,} images; the rest of its age group {100 * accuracy.rest:.1f} %."
        )
    return lines
