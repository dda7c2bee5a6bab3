"""The comparison table of configurations: one row each, means over seeds, with the results of the tests."""

import math
import statistics
from collections.abc import Sequence

from agegender.report.choices import varying_choices
from agegender.report.results import Configuration, SweepResults
from agegender.report.statistics.analysis import Analysis, Estimate
from agegender.report.statistics.scores import SCORES
from agegender.report.statistics.significance import LEVEL
from agegender.report.tables.measured_cost import MeasuredCost
from agegender.report.tables.rows import (
    RESULTS,
    Column,
    ComparisonTable,
    Spread,
    Value,
    differences_to_paper,
    notes_of,
    row_of,
    status_of,
    warnings_of,
)

_TASKS = {"age_accuracy": "age", "gender_accuracy": "gender"}


def compare_configurations(
    sweep: SweepResults, analysis: Analysis, costs: Sequence[MeasuredCost] = ()
) -> ComparisonTable:
    """Return the table of all configurations.

    Training rates that were measured side by side replace the jobs' own rates, which other work on the machine may have
    slowed; the jobs' training times are left out then.
    """
    extra = varying_choices([run.record for run in sweep.runs])
    columns = [Column("model", "Model"), Column("loss", "Loss"), *(Column(key, key) for key in extra)]
    columns += [Column("seeds", "Seeds"), *RESULTS]
    complete = [run.record for run in sweep.runs if run.record.status == "complete"]
    repeated = analysis.design.num_splits > 1 and len(analysis.compared) == len(sweep.configurations)
    warnings = [*warnings_of(complete, repeated_splits=repeated), *_left_out(sweep, analysis)]
    return ComparisonTable(
        columns,
        [_row(configuration, extra) | _measured(configuration, costs) for configuration in sweep.configurations],
        [*warnings, *_tests(analysis), *_coarse_years(sweep), *_cost(costs), *notes_of(complete), *sweep.problems],
        warnings,
        [_spreads(configuration, analysis) for configuration in sweep.configurations],
        _legend(analysis),
    )


def _row(configuration: Configuration, extra: list[str]) -> dict[str, Value]:
    rows = [row_of(run.record, extra) for run in configuration.runs]
    complete = [row for row in rows if row["status"] == "complete"]
    row: dict[str, Value] = {**rows[0], **{key: None for key in _averaged(rows)}}
    for key in _averaged(complete or rows):
        values = [value for value in (row.get(key) for row in complete or rows) if isinstance(value, float | int)]
        row[key] = statistics.fmean(values) if values else None
    seeds = [run.record.seed for run in (configuration.complete or configuration.runs)]
    return row | differences_to_paper(row) | {"seeds": _blocks(configuration, seeds), "status": _status(configuration)}


def _blocks(configuration: Configuration, seeds: list[int]) -> str:
    splits = {run.record.data.get("split_hash") for run in configuration.complete}
    text = _ranges(sorted(set(seeds)))
    return text if len(splits) < 2 else f"{text} on {len(splits)} splits"


def _ranges(seeds: list[int]) -> str:
    """List seeds; three or more consecutive ones as a range."""
    ranges: list[list[int]] = []
    for seed in seeds:
        if ranges and seed == ranges[-1][-1] + 1:
            ranges[-1].append(seed)
        else:
            ranges.append([seed])
    return ", ".join(f"{row[0]}-{row[-1]}" if len(row) > 2 else ", ".join(map(str, row)) for row in ranges)


def _averaged(rows: list[dict[str, Value]]) -> list[str]:
    keys = dict.fromkeys(key for row in rows for key, value in row.items() if isinstance(value, float | int))
    return [key for key in keys if key != "seed" and not key.startswith("paper_")]


def _status(configuration: Configuration) -> str:
    runs = configuration.runs
    complete = configuration.complete
    if len(runs) == 1:
        return status_of(runs[0].record)
    if len(complete) == len(runs):
        return "complete"
    first = next(run.record for run in runs if run.record.status != "complete")
    return f"{len(complete)} of {len(runs)} seeds complete; seed {first.seed}: {status_of(first)}"


def _spreads(configuration: Configuration, analysis: Analysis) -> dict[str, Spread]:
    estimates = analysis.estimates.get(configuration.label)
    if estimates is None:
        return {}
    keys = [column.key for column in RESULTS if column.key in SCORES and not math.isnan(estimates[column.key].value)]
    return {key: _spread(estimates[key], key, configuration.label, analysis) for key in keys}


def _spread(estimate: Estimate, key: str, label: str, analysis: Analysis) -> Spread:
    scale = 100 if SCORES[key].unit == "%" else 1
    deviation = None if estimate.deviation is None else scale * estimate.deviation
    interval = None if estimate.interval is None else (scale * estimate.interval[0], scale * estimate.interval[1])
    return Spread(deviation, interval, analysis.mark(_TASKS[key], label) if key in _TASKS else "")


def _left_out(sweep: SweepResults, analysis: Analysis) -> list[str]:
    """Return a warning on configurations that have results but are in no test."""
    others = [one.label for one in sweep.configurations if one.complete and one.label not in analysis.compared]
    if not others or not analysis.compared:
        return []
    return [
        f"Warning: not tested on the same images and groups as the others, and so in no test: {'; '.join(others)}.",
    ]


def _measured(configuration: Configuration, costs: Sequence[MeasuredCost]) -> dict[str, Value]:
    if not costs or not configuration.complete:
        return {}
    size = configuration.complete[0].record.data["image_size"]
    rates = next((cost.rates.get(configuration.model) for cost in costs if cost.image_size == size), None)
    return {"fit_seconds": None, "images_per_second": statistics.median(rates) if rates else None}


def _cost(costs: Sequence[MeasuredCost]) -> list[str]:
    return ["Images/s: training steps of all networks in turn on an idle machine, not the jobs' own."] if costs else []


def _coarse_years(sweep: SweepResults) -> list[str]:
    """Return a note on coarse years, the typical age of a group, where other configurations predict an age."""
    known = {one.label: one.complete[0].record.coarse_years for one in sweep.configurations if one.complete}
    coarse = [label for label, is_coarse in known.items() if is_coarse]
    if not coarse or all(known.values()):
        return []
    return [f"Years are coarse, the typical age of the predicted group, and so not comparable: {'; '.join(coarse)}."]


def _legend(analysis: Analysis) -> list[str]:
    if len(analysis.compared) < 2:
        return []
    if analysis.design.reference:
        return [f"Bold: highest. †: not significantly different from {analysis.design.reference}."]
    return ["Bold: highest. †: not significantly lower than the highest, which is not the same as equal."]


def _tests(analysis: Analysis) -> list[str]:
    design = analysis.design
    if len(design.labels) < 2:
        return []
    pairs = "comparisons with the whole recipe" if design.reference else "all pairs"
    if design.num_splits > 1:
        test = f"corrected resampled t-test (Nadeau & Bengio 2003) over {design.num_splits} splits"
    elif design.num_seeds == (1, 1):
        test = f"McNemar's exact test on {design.num_images:,} test images; of these networks, not of their methods"
    else:
        test = f"t-test crossed over {design.num_images:,} test images and the seeds of each row"
    several = any(of["age_accuracy"].deviation is not None for of in analysis.estimates.values())
    what = "splits and seeds" if design.num_splits > 1 else "seeds"
    return [
        f"Significance: {test}; Holm's correction for {pairs}, {100 * LEVEL:.0f} %.",
        *([f"±: standard deviation over {what}."] if several else []),
    ]
