"""The verdict: a sentence or two on the highest accuracies, which claim no more than the tests show."""

from agegender.report.results import SweepResults
from agegender.report.statistics.analysis import TASKS, Analysis
from agegender.report.statistics.design import Design
from agegender.report.tables.rows import ComparisonTable

_MAX_LISTED = 3  # names in a sentence; of more, their number
_SPACE = "\N{NO-BREAK SPACE}"


def verdict_sentence(sweep: SweepResults, analysis: Analysis, table: ComparisonTable) -> str:
    """Return the verdict: what the tests show about the highest accuracies."""
    if not any(configuration.complete for configuration in sweep.configurations):
        return "No run is complete, so there is nothing to compare."
    if table.warnings:
        return f"No verdict, as these rows must not be compared: {table.warnings[0].removeprefix('Warning: ')}"
    if not analysis.compared:
        return "No verdict: no run has predictions to test."
    where = f"On {_test_parts(analysis.design)} and {num_seeds(analysis.design)}"
    if len(analysis.compared) == 1:
        (label,) = analysis.compared
        accuracies = " and ".join(f"{task} {_accuracy(analysis, label, task)}" for task in analysis.tasks)
        return f"{where}, {label} reaches {accuracies}; there is nothing to compare it with."
    sentence = _against_reference(analysis) if analysis.design.reference else _highest(analysis)
    return " ".join([f"{where}, {sentence}", *about_basis(analysis.design), detectable_sentence(analysis)]).strip()


def _test_parts(design: Design) -> str:
    if design.num_splits > 1:
        return f"{design.num_splits} splits of the data"
    return f"{design.num_images:,} test images"


def num_seeds(design: Design) -> str:
    """Return how many seeds the compared configurations have, in words."""
    least, most = design.num_seeds
    return f"{least} to {most} seeds" if least < most else "a single seed" if most == 1 else f"{most} seeds"


def about_basis(design: Design) -> list[str]:
    """Return a sentence that limits the tests to the trained networks; empty where they cover the methods."""
    if design.basis != "networks":
        return []
    whose = "With a single seed" if design.num_seeds[1] == 1 else "As some rows have a single seed,"
    return [f"{whose} this is about these networks, not about the methods that trained them."]


def detectable_sentence(analysis: Analysis) -> str:
    """Return a sentence on the true difference that this design would detect, the context of "not significantly"."""
    found = [
        f"{100 * analysis.detectable[task]:.1f} points at {task}" for task in TASKS if analysis.detectable[task] > 0
    ]
    if not found:  # the runs do not differ at all
        return ""
    return (
        f"A single planned comparison would detect a true difference of {' and '.join(found)} with a probability of "
        f"80{_SPACE}%."
    )


def _highest(analysis: Analysis) -> str:
    if len(analysis.tasks) == 1:
        (task,) = analysis.tasks
        return f"{analysis.best[task]} has the highest {task} accuracy ({_lead(task, analysis)})."
    age, gender = (analysis.best[task] for task in TASKS)
    second = "the highest gender" if age == gender else f"{gender} the highest gender"
    of_age, of_gender = (_lead(task, analysis) for task in TASKS)
    return f"{age} has the highest age accuracy ({of_age}) and {second} accuracy ({of_gender})."


def _accuracy(analysis: Analysis, label: str, task: str) -> str:
    estimate = analysis.estimates[label][f"{task}_accuracy"]
    text = f"{100 * estimate.value:.2f}{_SPACE}%"
    if estimate.interval is None:
        return text
    low, high = (f"{100 * end:.2f}" for end in estimate.interval)
    return f"{text}, 95{_SPACE}% interval {low} to {high}"


def _lead(task: str, analysis: Analysis) -> str:
    """Return the highest accuracy, and which others it is significantly higher than."""
    best = analysis.best[task]
    tied = analysis.tied(task)
    others = [label for label in analysis.compared if label != best]
    not_lower = [label for label in others if label in tied]
    if not not_lower:
        lead = "significantly higher than " + (others[0] if len(others) == 1 else f"all {len(others)} others")
    elif len(not_lower) == len(others):
        lead = "not significantly higher than " + (others[0] if len(others) == 1 else "any of the others")
    elif len(not_lower) > _MAX_LISTED:
        lead = f"significantly higher than {len(others) - len(not_lower)} of the {len(others)} others"
    else:
        lead = f"significantly higher than all others except {listed(not_lower)}"
    return f"{_accuracy(analysis, best, task)}; {lead}"


def _against_reference(analysis: Analysis) -> str:
    """Return which parts of a recipe matter: all comparisons are with the whole recipe."""
    reference = analysis.design.reference
    assert reference is not None
    accuracies = " and ".join(f"{task} {_accuracy(analysis, reference, task)}" for task in analysis.tasks)
    sentences = [f"{reference} reaches {accuracies}."]
    for task in analysis.tasks:
        signs = {label: analysis.sign(label, reference, task) for label in analysis.compared if label != reference}
        for sign, word in ((-1, "lower"), (1, "higher")):
            found = [label for label, of in signs.items() if of == sign]
            if found:
                sentences.append(f"Significantly {word} at {task}: {', '.join(found)}.")
        if not any(signs.values()):
            sentences.append(f"No other differs significantly from it at {task}.")
    return " ".join(sentences)


def listed(labels: list[str]) -> str:
    """Join names for a sentence, such as `a, b and c`."""
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} and {labels[-1]}"
