"""The report of a sweep, with the faces of its data set where they are at hand."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agegender.data.faces import Source
from agegender.data.images import decode
from agegender.data.synthetic import synthetic_path
from agegender.data.utkface import FolderSource, open_source
from agegender.errors import InputError
from agegender.labels import THRESHOLD_AGE
from agegender.record import read_runs
from agegender.report.write import ReadImage, Report, write_report


def report(folder: Path, *, data: Path | None = None, threshold_age: float | None = None) -> Report:
    """Rebuild runs/NAME/report.

    Args:
        folder: runs/NAME.
        data: the images; None: where the records say that they were, if they are still there.
        threshold_age: years from which on somebody is an adult; None: `report.threshold_age` of the last run.

    Raises:
        InputError: a record cannot be read, or `data` is given and not there.
    """
    source = open_source(data) if data is not None else _recorded_source(folder)
    if threshold_age is None:
        threshold_age = _recorded_threshold(folder)
    return write_report(folder, threshold_age=threshold_age, read_image=None if source is None else _reader(source))


def _recorded_threshold(folder: Path) -> float:
    records = (record for _, record in read_runs(folder))
    last = max(records, key=lambda record: record.started or "", default=None)
    asked = {} if last is None else last.config.get("report", {})
    return asked.get("threshold_age", THRESHOLD_AGE)


def _recorded_source(folder: Path) -> Source | None:
    """Open the data of the first complete run; None on another machine than the one that trained."""
    complete = (record for _, record in read_runs(folder) if record.status == "complete")
    first = next(complete, None)
    try:
        return None if first is None else _open(first.config.get("data", {}))
    except (InputError, OSError):
        return None


def _open(config: dict[str, Any]) -> Source | None:
    root, drawn = config.get("root"), config.get("source", {})
    if root is not None:
        return open_source(root)
    keys = ("num_synthetic", "synthetic_seed", "cache_dir")
    if not all(key in drawn for key in keys):
        return None
    folder = synthetic_path(drawn["num_synthetic"], drawn["synthetic_seed"], Path(drawn["cache_dir"]).expanduser())
    return FolderSource(folder) if folder.is_dir() else None


def _reader(source: Source) -> ReadImage:
    names: Sequence[str] = source.names()  # reads the archive's list, without which it gives nothing

    def read(name: str) -> np.ndarray:
        if name not in known:
            raise ValueError("not in this data set")
        return decode(source.read(name))

    known = set(names)
    return read
