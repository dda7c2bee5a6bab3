"""Runs and predictions as pandas tables, for notebooks."""

from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd

from agegender.records import predictions, record
from agegender.system.errors import InputError


def read_runs(folder: str | PathLike[str]) -> pd.DataFrame:
    """Read all runs below a directory, such as runs/NAME, runs or an archive.

    Returns:
        A row per run: `folder`, `name`, `status`, `error`, `seed`, what was chosen (`model`, `loss` and so on), costs
        (`num_params`, `gmacs`, `time.fit_seconds`), `best_epoch`, and scores as shares in [0, 1] (`val.age_accuracy`,
        `test.age_accuracy`, years for `test.age_mae_years`); no confusion matrices.

    Raises:
        InputError: the directory is not there, or holds no run.
    """
    place = _existing(folder)
    rows = [_row(path.relative_to(place), entry) for path, entry in record.read_runs(place)]
    if not rows:
        raise InputError(f"{place} holds no run; give runs/NAME, or the directory of an archive")
    return pd.DataFrame(rows)


def read_predictions(folder: str | PathLike[str], *, part: str = "test") -> pd.DataFrame:
    """Read what the runs below a directory predicted, one below the other.

    Args:
        folder: of one run, or of several, such as runs/NAME.
        part: `test` or `val`.

    Returns:
        A row per run and image: `folder`, `model`, `loss`, `seed`, then the columns of predictions.csv.

    Raises:
        InputError: the directory is not there, holds no predictions or damaged ones, or `part` is neither.
    """
    files = {"test": record.PREDICTIONS, "val": record.VALIDATION_PREDICTIONS}
    if part not in files:
        raise InputError(f"part={part}: choose test or val")
    place = _existing(folder)
    tables = list(_tables(place, files[part]))
    if not tables:
        raise InputError(f"{place} holds no {files[part]}; give the directory of complete runs")
    return pd.concat(tables, ignore_index=True)


def _existing(folder: str | PathLike[str]) -> Path:
    place = Path(folder).expanduser()
    if not place.is_dir():
        raise InputError(f"{place} is not a directory; give runs/NAME")
    return place


def _row(place: Path, entry: record.Record) -> dict[str, Any]:
    known = {"folder": str(place), "name": entry.name, "status": entry.status, "error": entry.error, "seed": entry.seed}
    costs = {"num_params": entry.num_params, "gmacs": entry.gmacs, "best_epoch": entry.best_epoch}
    measured = {
        f"{section}.{key}": value
        for section, values in (("time", entry.time), ("val", entry.val), ("test", entry.test))
        for key, value in values.items()
        if not isinstance(value, list)
    }
    return {**entry.choices, **known, **costs, **measured}


def _tables(place: Path, name: str) -> Iterator[pd.DataFrame]:
    for path, entry in record.read_runs(place):
        file = record.predictions_file(path, name)
        if file.exists():
            table = predictions.read_table(file)
            own = {"folder": str(path.relative_to(place)), "seed": entry.seed}
            own |= {key: entry.choices.get(key) for key in ("model", "loss")}
            for number, key in enumerate(("folder", "model", "loss", "seed")):
                table.insert(number, key, own[key])
            yield table
