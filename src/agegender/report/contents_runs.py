"""The report's sections on the under-age claim, on cost, and on what repeats it all."""

from collections.abc import Sequence

from agegender.report import cost as side_by_side
from agegender.report import figures_efficiency, figures_results, grids, grids_runs
from agegender.report.chosen import MOST_SHOWN, predictions_of
from agegender.report.cost import MeasuredCost
from agegender.report.document import Cell, Figure, Grid, Heading, Section
from agegender.report.runs import Configuration, Sweep
from agegender.report.underage import UNDERAGE_GROUP, ThresholdCurve, predicted_older, threshold_curve

_COSTS = (  # key of the figure, title of the axis, what it is read from
    ("params", "parameters, M", lambda one: _of_record(one, "num_params", 1e6)),
    ("gmacs", "GMAC of one image", lambda one: _of_record(one, "gmacs", 1)),
    ("training", "training, s", lambda one: _of_time(one, "fit_seconds", 1)),
    ("memory", "peak memory, MB", lambda one: _of_time(one, "peak_memory_bytes", 1e6)),
    ("checkpoint", "checkpoint, MB", lambda one: _of_time(one, "checkpoint_bytes", 1e6)),
)


def under_age(sweep: Sweep, threshold_age: float) -> Section:
    """The paper's "solution of underage prevention", as numbers."""
    measured = [configuration for configuration in sweep.configurations if configuration.measured]
    if not measured:
        return Section("under-age", "Under-age faces")
    rows = [(configuration, predicted_older(predictions_of(configuration))) for configuration in measured]
    name = predictions_of(measured[0])[0].groups[UNDERAGE_GROUP]
    blocks: list[Grid | Figure] = [grids.underage(rows, name)]
    exact = [one for one in measured if one.complete[0].record.coarse_years is False]
    curves = [(one.label, threshold_curve(predictions_of(one), threshold_age)) for one in exact]
    known = [(label, curve) for label, curve in curves if curve is not None]
    text = [
        f"The paper: with the plain loss over 52 % of true 15-20 year olds are predicted older, and the weighted loss "
        f"is offered as the remedy. The group {name} straddles {threshold_age:g}, so whether somebody is taken for an "
        "adult can be told only by methods that predict years."
    ]
    if known:
        title = f"Minors taken for adults against adults taken for minors, at {threshold_age:g} years"
        blocks.append(_rates(known, threshold_age))
        blocks.append(figures_results.threshold_tradeoff(known[:MOST_SHOWN], "threshold", title))
    elif exact:
        text.append(f"The test images do not hold both minors and adults at {threshold_age:g} years.")
    else:
        text.append(
            "None of these methods does: a group classifier's years are the typical age of a group, so no rates at "
            f"{threshold_age:g} are given."
        )
    return Section("under-age", "Under-age faces", tuple(text), tuple(blocks))


def _rates(curves: list[tuple[str, ThresholdCurve]], threshold_age: float) -> Grid:
    rows = []
    for label, curve in curves:
        positive, negative = curve.at(threshold_age)
        minors, adults = f"{curve.num_minors:,}", f"{curve.num_adults:,}"
        rows.append(
            (
                Cell(label, label),
                Cell(f"{100 * positive:.1f}", positive, note=f"of {minors} minors"),
                Cell(f"{100 * negative:.1f}", negative, note=f"of {adults} adults"),
            )
        )
    headings = (
        Heading("Configuration"),
        Heading("False positives, %", "Minors whose predicted age reaches the threshold.", numeric=True),
        Heading("False negatives, %", "Adults whose predicted age does not.", numeric=True),
    )
    return Grid(f"Who is taken for an adult where {threshold_age:g} years are asked for", headings, tuple(rows))


def _of_record(configuration: Configuration, key: str, unit: float) -> float | None:
    value = getattr(configuration.complete[0].record, key)
    return None if value is None else value / unit


def _of_time(configuration: Configuration, key: str, unit: float) -> float | None:
    return grids_runs.mean_time([run.record for run in configuration.complete], key, unit)


def cost(sweep: Sweep, measured: Sequence[MeasuredCost] = ()) -> Section:
    """What accuracy costs, and how training went; first what was measured side by side."""
    complete = [configuration for configuration in sweep.configurations if configuration.complete]
    if not complete:
        return Section("cost", "Cost")
    blocks: list[Grid | Figure] = [side_by_side.grid(one, next(iter(one.rates))) for one in measured]
    blocks.append(grids_runs.efficiency(complete))
    for key, title, read in _COSTS:
        points = [
            figures_efficiency.EfficiencyPoint(one.label, one.model, value, 100 * _age_accuracy(one))
            for one in complete
            if (value := read(one)) is not None
        ]
        if len(points) > 1:
            name = f"Age accuracy against {title.partition(',')[0]}"
            blocks.append(figures_efficiency.efficiency(points, title, f"cost-{key}", name, log_x=True))
    for key, title in (("val_age_accuracy", "age accuracy, validation, %"), ("val_loss", "loss, validation")):
        scale = 100 if key.endswith("accuracy") else 1
        curves = [
            (run_label, [e["epoch"] for e in told], [scale * e[key] for e in told])
            for run_label, history in _histories(complete)
            if (told := [e for e in history if e.get(key) is not None])
        ]
        if curves:
            name = f"Training curves of all runs: {title.partition(',')[0]} on the validation part"
            blocks.append(figures_results.training_curves(curves, title, f"curves-{key.replace('_', '-')}", name))
    return Section("cost", "Cost", (), tuple(blocks))


def _age_accuracy(configuration: Configuration) -> float:
    values = [run.record.test["age_accuracy"] for run in configuration.complete]
    return sum(values) / len(values)


def _histories(configurations: list[Configuration]) -> list[tuple[str, list[dict[str, float]]]]:
    """Give the epochs of each run; where there are many configurations, runs look alike by their model."""
    few = len(configurations) <= MOST_SHOWN
    return [
        (one.label if few else one.model, run.record.history)
        for one in configurations
        for run in one.complete
        if run.record.history
    ]


def appendix(sweep: Sweep) -> Section:
    """What a reader needs to repeat it."""
    runs = sweep.runs
    if not runs:
        return Section("appendix", "Appendix", folded=True)
    described = [run.record for run in runs if run.record.data]
    blocks: list[Grid | Figure] = [grids_runs.jobs(runs)]
    if described:
        blocks += [grids_runs.data(sweep), grids_runs.environment([one for one in described if one.environment])]
        skipped = grids_runs.skipped(described[0])
        blocks += [skipped] if skipped is not None else []
    return Section("appendix", "Appendix: what repeats it", tuple(sweep.problems), tuple(blocks), folded=True)
