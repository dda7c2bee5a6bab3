"""Who won, as far as the tests go: one sentence, and one on the paper's claim."""

from agegender.report.analysis import TASKS, Analysis, Pair
from agegender.report.runs import Configuration, Sweep
from agegender.report.significance import LEVEL
from agegender.report.table import Comparison

BASELINES = ("alexnet", "vgg11", "resnet18", "densenet161")  # of the paper's Table 2
PROPOSED = "small_cnn"
_LISTED = 3  # names in a sentence; beyond, their number
_PAPER = (256, 30)  # pixels and epochs
_SPACE = "\N{NO-BREAK SPACE}"


def verdict(sweep: Sweep, analysis: Analysis, table: Comparison) -> str:
    """Say in one sentence what the tests allow to say, and no more."""
    if not any(configuration.complete for configuration in sweep.configurations):
        return "No run is complete, so there is nothing to compare."
    if table.warnings:
        return f"No verdict, for these rows must not be compared: {table.warnings[0].removeprefix('Warning: ')}"
    if not analysis.compared:
        return "No verdict: no run has left predictions to test."
    where = f"On {analysis.num_images:,} test images and {_seeds(sweep)}"
    if len(analysis.compared) == 1:
        (label,) = analysis.compared
        told = " and ".join(f"{task} {_accuracy(analysis, label, task)}" for task in TASKS)
        return f"{where}, {label} reaches {told}; there is nothing to compare it with."
    age, gender = (analysis.best[task] for task in TASKS)
    second = "at gender" if age == gender else f"{gender} is best at gender"
    return f"{where}, {age} is best at age ({_lead('age', analysis)}) and {second} ({_lead('gender', analysis)})."


def _seeds(sweep: Sweep) -> str:
    numbers = {len(configuration.measured) for configuration in sweep.comparable}
    least, most = min(numbers), max(numbers)
    return f"{least} to {most} seeds" if least < most else "a single seed" if most == 1 else f"{most} seeds"


def _accuracy(analysis: Analysis, label: str, task: str) -> str:
    estimate = analysis.estimates[label][f"{task}_accuracy"]
    text = f"{100 * estimate.value:.2f}{_SPACE}%"
    if estimate.interval is None:
        return text
    low, high = (f"{100 * end:.2f}" for end in estimate.interval)
    return f"{text}, 95{_SPACE}% interval {low} to {high}"


def _lead(task: str, analysis: Analysis) -> str:
    """Say how accurate the best is, and over whom its lead is significant."""
    best, tied = analysis.best[task], analysis.tied[task]
    others = [label for label in analysis.compared if label != best]
    equals = [label for label in others if label in tied]
    if not equals:
        lead = "significantly better than " + (others[0] if len(others) == 1 else f"all {len(others)} others")
    elif len(equals) == len(others):
        lead = "not significantly better than " + (others[0] if len(others) == 1 else "any of the others")
    elif len(equals) > _LISTED:
        lead = f"significantly better than {len(others) - len(equals)} of the {len(others)} others"
    else:
        lead = f"significantly better than the others but {_listed(equals)}"
    return f"{_accuracy(analysis, best, task)}; {lead}"


def _listed(labels: list[str]) -> str:
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} and {labels[-1]}"


def claim(sweep: Sweep, analysis: Analysis) -> str:
    """Tell what becomes of the paper's claim.

    Empty where its networks were not all compared with the plain loss, or on drawn faces.
    """
    if any("synthetic faces" in run.record.data["root"] for one in sweep.comparable for run in one.measured):
        return ""
    plain = {
        configuration.model: configuration.label
        for configuration in sweep.comparable
        if configuration.loss == "plain" and _plain_label(configuration)
    }
    if PROPOSED not in plain or not all(model in plain for model in BASELINES):
        return ""
    told = []
    for task in TASKS:
        signs = [_sign(plain[PROPOSED], plain[model], analysis.pairs[task]) for model in BASELINES]
        if all(sign > 0 for sign in signs):
            told.append(f"holds for {task}")
        elif any(sign < 0 for sign in signs):
            told.append(f"is contradicted for {task}")
        else:
            told.append(f"is neither shown nor contradicted for {task}")
    text = f"The paper's claim that its small CNN is more accurate than the four baselines {' and '.join(told)}"
    record = next(run.record for configuration in sweep.comparable for run in configuration.measured)
    size, epochs = record.data["image_size"], record.config["trainer"]["max_epochs"]
    scope = f"at {size} pixels and {epochs} epochs" + (
        "" if (size, epochs) == _PAPER else ", which are not the paper's"
    )
    if max(len(configuration.measured) for configuration in sweep.comparable) == 1:
        return f"{text} {scope}; with a single seed that is about these networks rather than their methods."
    return f"{text} {scope}."


def _plain_label(configuration: Configuration) -> bool:
    return configuration.label == f"{configuration.model} / {configuration.loss}"


def _sign(first: str, second: str, pairs: list[Pair]) -> int:
    """1 where the first is significantly better, -1 where it is significantly worse, else 0."""
    for pair in pairs:
        if {pair.first, pair.second} == {first, second} and pair.adjusted < LEVEL:
            difference = pair.difference.value if pair.first == first else -pair.difference.value
            return 1 if difference > 0 else -1
    return 0
