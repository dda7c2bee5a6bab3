"""The report of a sweep, with the faces of its data set where the images are still available."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np

from agegender.data.images import decode
from agegender.data.source import open_files
from agegender.data.sources.base import Source
from agegender.data.sources.utkface import FolderSource
from agegender.data.synthetic.folder import synthetic_path
from agegender.records.record import Record, read_runs
from agegender.report.statistics.age_limits import AgeLimits
from agegender.report.write import ReadImage, WrittenReport, write_report
from agegender.system.errors import InputError


def report(
    folder: Path,
    *,
    data: Path | None = None,
    threshold_age: float | None = None,
    challenge_age: float | None = None,
    minors_passed: float | None = None,
) -> WrittenReport:
    """Rebuild runs/NAME/report.

    Args:
        folder: runs/NAME.
        data: the images; None: where the records say that they were, if they are still there.
        threshold_age: years from which on somebody is an adult; None: `report.threshold_age` of the last run.
        challenge_age: years that are asked for instead; None: as for `threshold_age`.
        minors_passed: share of minors from 13 years on that may reach the age chosen by validation; None: likewise.

    Raises:
        InputError: a record cannot be read, or `data` is given and not there.
    """
    first = next((record for _, record in read_runs(folder) if record.status == "complete"), None)
    source = _recorded_source(first) if data is None else _open_at(data, first)
    given = {"threshold_age": threshold_age, "challenge_age": challenge_age, "minors_passed": minors_passed}
    limits = _recorded_limits(folder) | {key: value for key, value in given.items() if value is not None}
    return write_report(folder, limits=AgeLimits(**limits), read_image=None if source is None else _reader(source))


def _recorded_limits(folder: Path) -> dict[str, float]:
    """Return the report settings of the last run, without keys that did not exist when it ran."""
    records = (record for _, record in read_runs(folder))
    last = max(records, key=lambda record: record.started or "", default=None)
    if last is None:
        return {}
    recorded = {key.name: last.setting(f"report.{key.name}") for key in fields(AgeLimits)}
    return {key: value for key, value in recorded.items() if value is not None}


def _recorded_source(first: Record | None) -> Source | None:
    """Open the data of the first complete run; None on another machine than the one that trained."""
    try:
        return None if first is None else _open(first)
    except (InputError, OSError):
        return None


def _open(record: Record) -> Source | None:
    root = record.setting("data.root")
    if root is not None:
        return _open_at(root, record)
    number = record.setting("data.source.num_synthetic")
    seed = record.setting("data.source.synthetic_seed")
    cache = record.setting("data.source.cache_dir")
    if None in (number, seed, cache):
        return None
    folder = synthetic_path(number, seed, Path(cache).expanduser())
    return FolderSource(folder) if folder.is_dir() else None


def _open_at(root: Path | str | list[str], record: Record | None) -> Source:
    """Open images, which a run's labels name."""
    if record is None:
        return open_files(root)
    return open_files(
        root,
        set_name=record.setting("data.set"),
        labels=record.setting("data.labels"),
        margin=record.setting("data.margin"),
    )


def _reader(source: Source) -> ReadImage:
    names: Sequence[str] = source.names()  # reads the archive's index, without which it cannot read a file

    def read(name: str) -> np.ndarray:
        if name not in known:
            raise ValueError("not in this data set")
        return decode(source.read(name))

    known = set(names)
    return read
