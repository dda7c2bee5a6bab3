"""Who has the highest accuracy, as far as the tests go: what may be said in a sentence or two."""

from agegender.report.results import SweepResults
from agegender.report.statistics.analysis import TASKS, Analysis
from agegender.report.statistics.design import Design
from agegender.report.tables.rows import ComparisonTable

_LISTED = 3  # names in a sentence; beyond, their number
_SPACE = "\N{NO-BREAK SPACE}"


def verdict_sentence(sweep: SweepResults, analysis: Analysis, table: ComparisonTable) -> str:
    """Say what the tests allow to say, and no more."""
    if not any(configuration.complete for configuration in sweep.configurations):
        return "No run is complete, so there is nothing to compare."
    if table.warnings:
        return f"No verdict, for these rows must not be compared: {table.warnings[0].removeprefix('Warning: ')}"
    if not analysis.compared:
        return "No verdict: no run has left predictions to test."
    where = f"On {_test_parts(analysis.design)} and {num_seeds(analysis.design)}"
    if len(analysis.compared) == 1:
        (label,) = analysis.compared
        told = " and ".join(f"{task} {_accuracy(analysis, label, task)}" for task in TASKS)
        return f"{where}, {label} reaches {told}; there is nothing to compare it with."
    sentence = _against_reference(analysis) if analysis.design.reference else _highest(analysis)
    return " ".join([f"{where}, {sentence}", *about_basis(analysis.design), found_differences(analysis)]).strip()


def _test_parts(design: Design) -> str:
    if design.num_splits > 1:
        return f"{design.num_splits} splits of the data"
    return f"{design.num_images:,} test images"


def num_seeds(design: Design) -> str:
    """Say how many seeds the compared configurations have."""
    least, most = design.num_seeds
    return f"{least} to {most} seeds" if least < most else "a single seed" if most == 1 else f"{most} seeds"


def about_basis(design: Design) -> list[str]:
    """Say what the tests speak of where that is less than the methods; nothing where it is not."""
    if design.basis != "networks":
        return []
    whose = "With a single seed" if design.num_seeds[1] == 1 else "As some rows have a single seed,"
    return [f"{whose} this is about these networks, not about the methods that trained them."]


def found_differences(analysis: Analysis) -> str:
    """Say which true difference this design would find: what "not significantly" leaves open."""
    found = [
        f"{100 * analysis.detectable[task]:.1f} points at {task}" for task in TASKS if analysis.detectable[task] > 0
    ]
    if not found:  # the runs do not differ at all
        return ""
    return (
        f"A single planned comparison would find a true difference of {' and '.join(found)} with a probability of "
        f"80{_SPACE}%."
    )


def _highest(analysis: Analysis) -> str:
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
    """Say how accurate the highest is, and over whom its lead is significant."""
    best = analysis.best[task]
    tied = analysis.tied(task)
    others = [label for label in analysis.compared if label != best]
    equals = [label for label in others if label in tied]
    if not equals:
        lead = "significantly higher than " + (others[0] if len(others) == 1 else f"all {len(others)} others")
    elif len(equals) == len(others):
        lead = "not significantly higher than " + (others[0] if len(others) == 1 else "any of the others")
    elif len(equals) > _LISTED:
        lead = f"significantly higher than {len(others) - len(equals)} of the {len(others)} others"
    else:
        lead = f"significantly higher than the others but {listed(equals)}"
    return f"{_accuracy(analysis, best, task)}; {lead}"


def _against_reference(analysis: Analysis) -> str:
    """Say which parts of a recipe matter: only comparisons with the whole recipe are made."""
    reference = analysis.design.reference
    assert reference is not None
    told = [f"{reference} reaches {' and '.join(f'{task} {_accuracy(analysis, reference, task)}' for task in TASKS)}."]
    for task in TASKS:
        signs = {label: analysis.sign(label, reference, task) for label in analysis.compared if label != reference}
        for sign, word in ((-1, "lower"), (1, "higher")):
            found = [label for label, of in signs.items() if of == sign]
            if found:
                told.append(f"Significantly {word} at {task}: {', '.join(found)}.")
        if not any(signs.values()):
            told.append(f"No other differs significantly from it at {task}.")
    return " ".join(told)


def listed(labels: list[str]) -> str:
    """Join names for a sentence."""
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} and {labels[-1]}"
