"""The comparison run of a sweep in Weights & Biases: its table, figures, report and split, for a team's dashboard."""

import re
import secrets
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from agegender.records.record import Record, read_runs
from agegender.records.targets import current_loggers
from agegender.system.errors import InputError
from agegender.system.files import write_atomically
from agegender.tracking.wandb_run import finish_run, guarded, log_files, start_run, use_split

LOCAL = "local"  # files in a report's directory of this name show faces and stay on this machine
_LONGEST_NAME = 128  # characters that W&B allows for the name of an artifact


def log_comparison(
    settings: Mapping[str, Any],
    name: str,
    folder: Path,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    report: Path | None = None,
    figures: Mapping[str, Path] | None = None,
    manifest: Path | None = None,
) -> str | None:
    """Write the comparison run of a sweep, or update it if it exists. A failure is logged and does not raise.

    Args:
        settings: the keys of `logger.wandb`.
        name: of the sweep.
        folder: the sweep's directory.
        columns: C keys of the table.
        rows: of C plain values each.
        report: a directory to store as an artifact, without the files below `local` in it.
        figures: image files by their keys.
        manifest: of the split that all runs share, as `save_manifest` names it.

    Returns:
        Where the run is: its URL, or its directory if it is offline; None if W&B failed.
    """
    run_id = _run_id(folder)
    start = partial(start_run, settings, folder, id=run_id, name=f"{name}: comparison", group=name)
    run = guarded(lambda: start(job_type="comparison", config={"sweep": name}))
    if run is None:
        return None
    guarded(lambda: write_atomically(folder / "wandb_id", run_id))
    guarded(lambda: _log_table(run, columns, rows))
    for key, path in (figures or {}).items():
        guarded(partial(_log_figure, run, key, path))
    if report is not None:
        guarded(lambda: log_files(run, _artifact_name(f"report-{name}"), "report", public_files(report)))
    if manifest is not None:
        guarded(lambda: use_split(run, manifest))
    where = guarded(lambda: str(Path(run.dir).parent) if run.offline else run.url)
    guarded(lambda: finish_run(run))
    return where


def send_comparison(
    folder: Path,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    report: Path | None = None,
    figures: Mapping[str, Path] | None = None,
    mode: str | None = None,
) -> str | None:
    """Write the comparison run of a sweep from its records, with project, entity and mode of its last W&B run.

    Args:
        folder: the sweep's directory.
        columns: C keys of the table.
        rows: of C plain values each.
        report: see `log_comparison`.
        figures: image files by their keys.
        mode: `online` or `offline` in place of the records' mode.

    Returns:
        See `log_comparison`.

    Raises:
        InputError: there is no record that can be read.
    """
    records = [entry for _, entry in read_runs(folder) if entry.config]  # a broken record has no configuration
    if not records:
        raise InputError(f"{folder} holds no run's record.json; give runs/NAME")
    last = max(records, key=lambda entry: (_wandb_settings(entry) is not None, entry.started or ""))
    settings = _wandb_settings(last) or {"project": None, "entity": None, "mode": None}
    settings = settings | {"mode": mode or settings["mode"]}
    manifest = _shared_manifest(folder, records)
    return log_comparison(settings, last.name, folder, columns, rows, report=report, figures=figures, manifest=manifest)


def _wandb_settings(record: Record) -> dict[str, Any] | None:
    return current_loggers(record.config.get("logger") or {}).get("wandb")


def public_files(report: Path) -> dict[str, Path]:
    """Return the files of a report by their path in it, without hidden files and those that show faces."""
    inside = {path.relative_to(report): path for path in sorted(report.rglob("*")) if path.is_file()}
    return {
        relative.as_posix(): path
        for relative, path in inside.items()
        if LOCAL not in relative.parts[:-1] and not any(part.startswith(".") for part in relative.parts)
    }


def _run_id(folder: Path) -> str:
    known = folder / "wandb_id"
    return (known.exists() and (guarded(known.read_text) or "").strip()) or secrets.token_hex(4)


def _log_table(run: Any, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    import wandb

    run.log({"comparison": wandb.Table(columns=list(columns), data=[list(row) for row in rows])})


def _log_figure(run: Any, key: str, path: Path) -> None:
    import wandb

    run.log({f"figures/{key}": wandb.Image(str(path))})


def _artifact_name(text: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_.-]", "-", text)[:_LONGEST_NAME]


def _shared_manifest(folder: Path, records: Sequence[Record]) -> Path | None:
    """Return the manifest that all runs used, in the sweep's directory, which may have been moved; None if none."""
    names = {Path(entry.data["split_file"]).name for entry in records if "split_file" in entry.data}
    path = folder / names.pop() if len(names) == 1 else None
    return path if path is not None and path.is_file() else None
