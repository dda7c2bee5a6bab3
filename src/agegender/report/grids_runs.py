"""The report's tables of what was run: data, networks, cost, jobs, environment."""

import shlex
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from agegender.labels import SCHEMES, age_groups
from agegender.record import Record
from agegender.report.document import Cell, Grid, Heading
from agegender.report.runs import Configuration, Run, Sweep
from agegender.report.table import status_of

_PARTS = {"train": "Training", "val": "Validation", "test": "Test"}
_RECIPES = frozenset({"experiment", "without"})  # groups that choose the options of others
_DEFAULTS = {
    **{"data": "utkface", "optimizer": "adam", "schedule": "constant", "augment": "none"},
    **{"trainer": "auto", "logger": "wandb"},
}
_SHOWN_FILES = 50  # skipped files in the page; the record lists all


def text(value: object) -> Cell:
    """A cell of text."""
    shown = " ".join(str(value).split())
    return Cell(shown, shown)


def number(value: float | None, decimals: int = 0) -> Cell:
    """A cell of a number, with thousands apart; a dash where there is none."""
    return Cell("-") if value is None else Cell(f"{value:,.{decimals}f}", float(value))


def group_names(record: Record) -> tuple[str, ...]:
    """Names of a record's age groups; an old record tells only the scheme."""
    told = record.data["age_groups"]
    if "names" in told:
        return tuple(told["names"])
    return age_groups(told["scheme"]).names if told["scheme"] in SCHEMES else ()


def group_edges(record: Record) -> list[int]:
    """First age of each of a record's age groups, in years, as its scheme has them; of an unknown one as named."""
    scheme = record.data["age_groups"]["scheme"]
    if scheme in SCHEMES:
        group_of_age = age_groups(scheme).group_of_age
        return [int(np.flatnonzero(group_of_age == group)[0]) for group in range(len(group_names(record)))]
    return [int(name.replace("+", "-").partition("-")[0]) for name in group_names(record)]


def cardinality(record: Record) -> Grid:
    """The paper's Table 1: images of each age group in each part."""
    groups = record.data["groups"]
    names = group_names(record)
    rows = [
        (text(name), *(number(groups[part][index]) for part in _PARTS), number(sum(groups[p][index] for p in _PARTS)))
        for index, name in enumerate(names)
    ]
    totals = [sum(groups[part]) for part in _PARTS]
    rows.append((Cell("all", "~"), *map(number, totals), number(sum(totals))))
    headings = (Heading("Age group"), *(Heading(title, numeric=True) for title in (*_PARTS.values(), "All")))
    scheme = record.data["age_groups"]["scheme"]
    return Grid(
        f"The paper's Table 1: images of each age group ({scheme} groups)",
        headings,
        tuple(rows),
        ("The paper: 16,391 training, 2,892 validation and 4,821 test images of another release of the data.",),
    )


def layers(configuration: Configuration) -> Grid | None:
    """The network, layer by layer; None where the record does not hold it."""
    record = configuration.runs[0].record
    if not record.network:
        return None
    rows = [
        (
            Cell(str(layer["name"]), index),
            text(layer["kind"]),
            Cell(" x ".join(map(str, layer["output"])), index),
            number(layer["num_params"]),
            number(layer["macs"] / 1e6, 2),
        )
        for index, layer in enumerate(record.network)
    ]
    headings = (
        *(Heading("Layer"), Heading("Kind"), Heading("Output", "Channels x height x width.")),
        *(Heading("Parameters", numeric=True), Heading("MACs, M", "Multiply-accumulates of one image.", numeric=True)),
    )
    total = f"{sum(layer['num_params'] for layer in record.network):,} parameters"
    return Grid(f"{configuration.model}, layer by layer: {total}", headings, tuple(rows))


def efficiency(configurations: Sequence[Configuration]) -> Grid:
    """What each configuration costs; means over seeds of what was measured."""
    rows = []
    for configuration in configurations:
        records = [run.record for run in configuration.complete]
        if not records:
            continue
        first = records[0]
        rows.append(
            (
                text(configuration.label),
                number(first.num_params and first.num_params / 1e6, 2),
                number(first.gmacs, 3),
                *(number(mean_time(records, key), 0) for key in ("fit_seconds", "images_per_second")),
                *(number(mean_time(records, key, 1e6), 1) for key in ("peak_memory_bytes", "checkpoint_bytes")),
                text(f"{first.environment.get('device', '-')}, {first.environment.get('precision', '-')}"),
            )
        )
    titles = ("Parameters, M", "GMAC", "Training, s", "Images/s", "Peak memory, MB", "Checkpoint, MB")
    headings = (Heading("Configuration"), *(Heading(title, numeric=True) for title in titles), Heading("Hardware"))
    return Grid(
        "What it costs",
        headings,
        tuple(rows),
        ("Times are comparable on the same hardware only, and only of jobs beside which nothing else ran.",),
    )


def mean_time(records: Sequence[Record], key: str, unit: float = 1) -> float | None:
    """Mean of a measure in `Record.time`, in a unit of so many of its own, over the records that have it."""
    values = [record.time[key] for record in records if record.time.get(key) is not None]
    return sum(values) / len(values) / unit if values else None


def jobs(runs: Sequence[Run]) -> Grid:
    """Every job: how far it came, and the command that repeats it."""
    rows = [
        (
            text(run.folder.name if not run.record.choices else _name(run.record)),
            Cell(str(run.record.seed), run.record.seed),
            Cell(status_of(run.record), status_of(run.record), "worst" if run.record.status == "failed" else ""),
            number(run.record.best_epoch),
            text(run.record.started or "-"),
            text(command(run.record)),
        )
        for run in runs
    ]
    headings = (
        *(Heading("Job"), Heading("Seed", numeric=True), Heading("Status"), Heading("Best epoch", numeric=True)),
        *(Heading("Begun, UTC"), Heading("Command")),
    )
    return Grid("Every job", headings, tuple(rows))


def _name(record: Record) -> str:
    return f"{record.choices.get('model')} / {record.choices.get('loss')}"


def command(record: Record) -> str:
    """Give a command that repeats a job, from what was chosen."""
    chosen = {key: value for key, value in record.choices.items() if key not in ("seed", "debug", "hparams_search")}
    if not chosen.keys() & _RECIPES:  # whose own options a default must go on replacing
        chosen = {key: value for key, value in chosen.items() if str(value) != _DEFAULTS.get(key)}
    data = record.config.get("data", {})
    asked = {"data.root": data.get("root"), "data.image_size": data.get("image_size")}
    asked["trainer.max_epochs"] = record.config.get("trainer", {}).get("max_epochs")
    given = {**chosen, **{key: value for key, value in asked.items() if value is not None and key not in chosen}}
    # Of Lightning's arguments only some stand in conf/trainer; Hydra takes the others where they are added.
    added = [key for key in given if key.startswith("trainer.") and key != "trainer.max_epochs"]
    parts = [f"{'++' if key in added else ''}{key}={value}" for key, value in given.items()]
    return " ".join(["python train.py", *map(shlex.quote, [*parts, f"seed={record.seed}", f"name={record.name}"])])


def environment(records: Sequence[Record]) -> Grid:
    """On what the jobs ran, and from which commit: a row each time something differs."""
    keys = ("python", "torch", "lightning", "platform", "device", "num_devices", "cores", "threads", "precision")
    found: Counter[tuple[str, ...]] = Counter()
    for record in records:
        git = record.git.get("commit", "-") + (" with changes" if record.git.get("dirty") else "")
        row = (*(str(record.environment.get(key, "-")) for key in keys), str(git))
        found[row] += 1
    headings = (
        *(Heading(key.replace("_", " ").capitalize()) for key in (*keys, "commit")),
        Heading("Jobs", numeric=True),
    )
    rows = tuple((*map(text, row), number(count)) for row, count in found.items())
    return Grid("Hardware and versions", headings, rows)


def skipped(record: Record) -> Grid | None:
    """Files that could not be used, and why; None where all could."""
    files: dict[str, Any] = record.data.get("skipped", {})
    if not files:
        return None
    rows = tuple((text(name), text(reason)) for name, reason in list(files.items())[:_SHOWN_FILES])
    notes = (f"{len(files):,} files; the record lists all.",) if len(files) > _SHOWN_FILES else ()
    return Grid(f"Files that were left out: {len(files):,}", (Heading("File"), Heading("Reason")), rows, notes)


def data(sweep: Sweep) -> Grid:
    """Which data and splits the jobs had."""
    found: Counter[tuple[str, ...]] = Counter()
    for run in sweep.runs:
        told = run.record.data
        if not told:
            continue
        row = (
            *(str(told.get(key, "-")) for key in ("root", "fingerprint", "image_size")),
            *(str(told["age_groups"]["scheme"]), str(told.get("leak_control")), str(told.get("split_hash", "-"))),
            str(told.get("split_file", "-")),
        )
        found[row] += 1
    titles = ("Data", "Fingerprint", "Image size", "Age groups", "Leak control", "Split's SHA-256", "Split's manifest")
    rows = tuple((*map(text, row), number(count)) for row, count in found.items())
    return Grid("Data and splits", (*map(Heading, titles), Heading("Jobs", numeric=True)), rows)
