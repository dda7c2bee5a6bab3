"""The configurations that the report shows in detail, and the names of their files."""

from agegender.records.predictions import Predictions
from agegender.report.results import Configuration, Run, SweepResults
from agegender.report.sections.claims import PROPOSED
from agegender.report.statistics.analysis import Analysis

MAX_SHOWN = 12  # configurations shown in detail; more would hide the rest of the page


def runs_on_the_same_images(configuration: Configuration) -> list[Run]:
    """Return its measured runs that share their test images with the first."""
    measured = configuration.measured
    return [run for run in measured if run.images_id == measured[0].images_id]


def predictions_of(configuration: Configuration) -> list[Predictions]:
    """Return the predictions of its runs that share their test images with the first.

    Only of the images with an age group and a gender; empty if there are none.
    """
    found = [run.tested for run in runs_on_the_same_images(configuration) if run.predictions is not None]
    if not found or found[0].is_complete:
        return found
    chosen = found[0].known("age") & found[0].known("gender")
    return [one.rows(chosen) for one in found] if chosen.any() else []


def predictions_for(configuration: Configuration, task: str) -> list[Predictions]:
    """Return the predictions of the same runs, of the images with a label of `age`, the group, or `gender`."""
    found = [run.tested for run in runs_on_the_same_images(configuration) if run.predictions is not None]
    if not found or found[0].is_complete:
        return found
    chosen = found[0].known(task)
    return [one.rows(chosen) for one in found] if chosen.any() else []


def highlighted_configurations(sweep: SweepResults, analysis: Analysis) -> list[Configuration]:
    """Return the configurations to show in detail, one per loss: of the small CNN, else of the most accurate model."""
    measured = [configuration for configuration in sweep.configurations if configuration.measured]
    if not measured:
        return []
    best = analysis.best.get("age", measured[0].label)
    model = next((one.model for one in measured if one.model == PROPOSED), None)
    model = model or next((one.model for one in measured if one.label == best), measured[0].model)
    by_loss: dict[str, Configuration] = {}
    for configuration in measured:
        if configuration.model == model:
            by_loss.setdefault(configuration.loss, configuration)
    return list(by_loss.values())


def slug(text: str) -> str:
    """Turn a label into the name of a file."""
    letters = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in text.lower())
    return "-".join(part for part in letters.split("-") if part)[:80]
