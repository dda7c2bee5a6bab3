"""The report's sections on cost, and on what repeats it all."""

from collections.abc import Sequence

from agegender.report import cost as side_by_side
from agegender.report import figures_efficiency, figures_results, grids_runs
from agegender.report.chosen import MOST_SHOWN
from agegender.report.cost import MeasuredCost
from agegender.report.document import Figure, Grid, Section
from agegender.report.runs import Configuration, Sweep

_COSTS = (  # key of the figure, title of the axis, what it is read from
    ("params", "parameters, M", lambda one: _of_record(one, "num_params", 1e6)),
    ("gmacs", "GMAC of one image", lambda one: _of_record(one, "gmacs", 1)),
    ("training", "training, s", lambda one: _of_time(one, "fit_seconds", 1)),
    ("memory", "peak memory, MB", lambda one: _of_time(one, "peak_memory_bytes", 1e6)),
    ("checkpoint", "checkpoint, MB", lambda one: _of_time(one, "checkpoint_bytes", 1e6)),
)


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
