"""Which configurations the report looks at closely, and what it calls their files."""

from agegender.records.predictions import Predictions
from agegender.report.results import Configuration, Run, Sweep
from agegender.report.sections.claims import PROPOSED
from agegender.report.statistics.analysis import Analysis

MOST_SHOWN = 12  # configurations with figures and slices of their own; more would bury the rest


def runs_on_the_same_images(configuration: Configuration) -> list[Run]:
    """Return its measured runs that share their test images with the first."""
    measured = configuration.measured
    return [run for run in measured if run.images_id == measured[0].images_id]


def predictions_of(configuration: Configuration) -> list[Predictions]:
    """Return the predictions of its runs that share their test images with the first."""
    return [run.predictions for run in runs_on_the_same_images(configuration) if run.predictions is not None]


def focus(sweep: Sweep, analysis: Analysis) -> list[Configuration]:
    """Choose who gets the paper's figures 5 to 7: the small CNN, else the best; one of each loss."""
    measured = [configuration for configuration in sweep.configurations if configuration.measured]
    if not measured:
        return []
    best = analysis.best.get("age", measured[0].label)
    model = next((one.model for one in measured if one.model == PROPOSED), None)
    model = model or next((one.model for one in measured if one.label == best), measured[0].model)
    chosen: dict[str, Configuration] = {}
    for configuration in measured:
        if configuration.model == model:
            chosen.setdefault(configuration.loss, configuration)
    return list(chosen.values())


def slug(text: str) -> str:
    """Make the name of a file of a label."""
    letters = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in text.lower())
    return "-".join(part for part in letters.split("-") if part)[:80]
