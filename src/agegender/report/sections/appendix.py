"""The report's appendix: the jobs, the commands that repeat them, data, hardware and versions."""

import shlex
from collections import Counter
from collections.abc import Sequence
from typing import Any

from agegender.records.record import Record
from agegender.report.page.document import Cell, Figure, Grid, Heading, Section
from agegender.report.results import Run, SweepResults
from agegender.report.sections.cells import number_cell, text_cell
from agegender.report.tables.rows import status_of

_SEARCH_KEYS = ("hparams_search", "search.trial")  # with these, a trial's command would start the search again
_MAX_FILES = 50  # skipped files in the page; the record lists all


def jobs_grid(runs: Sequence[Run]) -> Grid:
    """Return a table of every job: its status, and the command that repeats it."""
    addresses = [_address(run.record) for run in runs]
    rows = [
        (
            text_cell(run.folder.name if not run.record.choices else _name(run.record)),
            Cell(str(run.record.seed), run.record.seed),
            Cell(status_of(run.record), status_of(run.record), "worst" if run.record.status == "failed" else ""),
            number_cell(run.record.best_epoch),
            text_cell(run.record.started or "-"),
            *([Cell("run" if address else "-", link=address)] if any(addresses) else []),
            text_cell(repeat_command(run.record)),
        )
        for run, address in zip(runs, addresses, strict=True)
    ]
    headings = (
        Heading("Job"),
        Heading("Seed", numeric=True),
        Heading("Status"),
        Heading("Best epoch", numeric=True),
        Heading("Started, UTC"),
        *([Heading("W&B")] if any(addresses) else []),
        Heading("Command"),
    )
    return Grid("Every job", headings, tuple(rows))


def _address(record: Record) -> str:
    """Return where the job's W&B run is; empty for one that is offline, and for what is no address of a web page."""
    address = str(record.tracking.get("wandb", {}).get("url", ""))
    return address if address.startswith(("https://", "http://")) else ""


def _name(record: Record) -> str:
    return f"{record.choices.get('model')} / {record.choices.get('loss')}"


def repeat_command(record: Record) -> str:
    """Return a command that repeats a job: its overrides, or all its choices where an older record has no overrides."""
    if record.overrides:
        overrides = [item for item in record.overrides if item.lstrip("+").partition("=")[0] not in _SEARCH_KEYS]
        return shlex.join(["python", "train.py", *overrides])
    choices = {key: value for key, value in record.choices.items() if key not in ("seed", "debug", *_SEARCH_KEYS)}
    configured = {key: record.setting(key) for key in ("data.root", "data.image_size", "trainer.max_epochs")}
    given = {**choices, **{key: value for key, value in configured.items() if value is not None and key not in choices}}
    # conf/trainer holds only some of Lightning's arguments; Hydra needs ++ for the others.
    added = [key for key in given if key.startswith("trainer.") and key != "trainer.max_epochs"]
    parts = [f"{'++' if key in added else ''}{key}={value}" for key, value in given.items()]
    return shlex.join(["python", "train.py", *parts, f"seed={record.seed}", f"name={record.name}"])


def environment_grid(records: Sequence[Record]) -> Grid:
    """Return a table of the hardware, versions and commits of the jobs, one row per combination."""
    keys = ("python", "torch", "lightning", "platform", "device", "num_devices", "cores", "threads", "precision")
    found: Counter[tuple[str, ...]] = Counter()
    for record in records:
        git = record.git.get("commit", "-") + (" with uncommitted changes" if record.git.get("dirty") else "")
        row = (*(str(record.environment.get(key, "-")) for key in keys), str(git))
        found[row] += 1
    headings = (
        *(Heading(key.replace("_", " ").capitalize()) for key in (*keys, "commit")),
        Heading("Jobs", numeric=True),
    )
    rows = tuple((*map(text_cell, row), number_cell(count)) for row, count in found.items())
    return Grid("Hardware and versions", headings, rows)


def skipped_grid(record: Record) -> Grid | None:
    """Return a table of the files that could not be used, with reasons; None where there are none."""
    files: dict[str, Any] = record.data.get("skipped", {})
    if not files:
        return None
    rows = tuple((text_cell(name), text_cell(reason)) for name, reason in list(files.items())[:_MAX_FILES])
    notes = (f"{len(files):,} files; the record lists all.",) if len(files) > _MAX_FILES else ()
    return Grid(f"Files that were skipped: {len(files):,}", (Heading("File"), Heading("Reason")), rows, notes)


def data_grid(sweep: SweepResults) -> Grid:
    """Return a table of the data and splits of the jobs."""
    found: Counter[tuple[str, ...]] = Counter()
    for run in sweep.runs:
        data = run.record.data
        if not data:
            continue
        row = (
            *(str(data.get(key, "-")) for key in ("root", "fingerprint", "image_size")),
            str(data["age_groups"]["scheme"]),
            str(data.get("leak_control")),
            str(data.get("split_hash", "-")),
            str(data.get("split_file", "-")),
        )
        found[row] += 1
    titles = ("Data", "Fingerprint", "Image size", "Age groups", "Leak control", "Split's SHA-256", "Split's manifest")
    rows = tuple((*map(text_cell, row), number_cell(count)) for row, count in found.items())
    return Grid("Data and splits", (*map(Heading, titles), Heading("Jobs", numeric=True)), rows)


def appendix_section(sweep: SweepResults) -> Section:
    """Return the section with everything that is needed to repeat the jobs."""
    runs = sweep.runs
    if not runs:
        return Section("appendix", "Appendix", folded=True)
    described = [run.record for run in runs if run.record.data]
    blocks: list[Grid | Figure] = [jobs_grid(runs)]
    if described:
        blocks += [data_grid(sweep), environment_grid([one for one in described if one.environment])]
        left_out = skipped_grid(described[0])
        blocks += [left_out] if left_out is not None else []
    return Section("appendix", "Appendix: how to repeat the jobs", tuple(sweep.problems), tuple(blocks), folded=True)
