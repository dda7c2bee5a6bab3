"""The report's section on cost."""

from collections.abc import Sequence

from agegender.records.record import Record
from agegender.report.figures.efficiency import EfficiencyPoint, efficiency_plot
from agegender.report.figures.training_curves import training_curves
from agegender.report.page.document import Figure, Grid, Heading, Section
from agegender.report.results import Configuration, SweepResults
from agegender.report.sections.cells import number_cell, text_cell
from agegender.report.sections.highlighted import MAX_SHOWN
from agegender.report.tables import measured_cost as side_by_side
from agegender.report.tables.measured_cost import MeasuredCost

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
    return mean_time([run.record for run in configuration.complete], key, unit)


def cost_section(sweep: SweepResults, measured: Sequence[MeasuredCost] = ()) -> Section:
    """Return the section on cost and training; rates that were measured side by side come first."""
    complete = [configuration for configuration in sweep.configurations if configuration.complete]
    if not complete:
        return Section("cost", "Cost")
    blocks: list[Grid | Figure] = [side_by_side.measured_cost_grid(one, next(iter(one.rates))) for one in measured]
    blocks.append(cost_grid(complete))
    for key, title, read in _COSTS:
        points = [
            EfficiencyPoint(one.label, one.model, value, 100 * _age_accuracy(one))
            for one in complete
            if (value := read(one)) is not None and one.complete[0].record.test["age_accuracy"] is not None
        ]
        if len(points) > 1:
            name = f"Age accuracy against {title.partition(',')[0]}"
            blocks.append(efficiency_plot(points, title, f"cost-{key}", name, log_x=True))
    for key, title in (("val_age_accuracy", "age accuracy, validation, %"), ("val_loss", "loss, validation")):
        scale = 100 if key.endswith("accuracy") else 1
        curves = [
            (run_label, [epoch["epoch"] for epoch in epochs], [scale * epoch[key] for epoch in epochs])
            for run_label, history in _histories(complete)
            if (epochs := [epoch for epoch in history if epoch.get(key) is not None])
        ]
        if curves:
            name = f"Training curves of all runs: {title.partition(',')[0]} on the validation part"
            blocks.append(training_curves(curves, title, f"curves-{key.replace('_', '-')}", name))
    return Section("cost", "Cost", (), tuple(blocks))


def _age_accuracy(configuration: Configuration) -> float:
    values = [run.record.test["age_accuracy"] for run in configuration.complete]
    return sum(values) / len(values)


def _histories(configurations: list[Configuration]) -> list[tuple[str, list[dict[str, float]]]]:
    """Return the epochs of each run; where there are many configurations, runs are named by their model."""
    few = len(configurations) <= MAX_SHOWN
    return [
        (one.label if few else one.model, run.record.history)
        for one in configurations
        for run in one.complete
        if run.record.history
    ]


def cost_grid(configurations: Sequence[Configuration]) -> Grid:
    """Return a table of the cost of each configuration; measured values are means over seeds."""
    rows = []
    for configuration in configurations:
        records = [run.record for run in configuration.complete]
        if not records:
            continue
        first = records[0]
        rows.append(
            (
                text_cell(configuration.label),
                number_cell(first.num_params and first.num_params / 1e6, 2),
                number_cell(first.gmacs, 3),
                *(number_cell(mean_time(records, key), 0) for key in ("fit_seconds", "images_per_second")),
                *(number_cell(mean_time(records, key, 1e6), 1) for key in ("peak_memory_bytes", "checkpoint_bytes")),
                text_cell(_hardware(records)),
            )
        )
    titles = ("Parameters, M", "GMAC", "Training, s", "Images/s", "Peak memory, MB", "Checkpoint, MB")
    headings = (Heading("Configuration"), *(Heading(title, numeric=True) for title in titles), Heading("Hardware"))
    return Grid(
        "Cost of each configuration",
        headings,
        tuple(rows),
        ("Times are comparable only on the same hardware, and only for jobs that had the machine to themselves.",),
    )


def _hardware(records: Sequence[Record]) -> str:
    environment = records[0].environment
    most = max(record.num_sharing for record in records)
    shared = f", shared by {most} jobs" if most > 1 else ""
    return f"{environment.get('device', '-')}{shared}, {environment.get('precision', '-')}"


def mean_time(records: Sequence[Record], key: str, unit: float = 1) -> float | None:
    """Return the mean of an entry of `Record.time`, divided by `unit`, over the records that have it."""
    values = [record.time[key] for record in records if record.time.get(key) is not None]
    return sum(values) / len(values) / unit if values else None
