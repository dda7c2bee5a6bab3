"""A sweep's results as a compact directory: records and predictions, from which its report can be rebuilt.

It holds no images, checkpoints or logs, and no paths of the machine that trained. `agegender report` reads an archive
as it reads runs/NAME, without torch, a GPU or the data.
"""

import json
import lzma
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import Any

from agegender.records import record
from agegender.records.record import COMPRESSED, COST_FILES, PREDICTIONS, VALIDATION_PREDICTIONS
from agegender.system.errors import InputError
from agegender.system.files import write_atomically


@dataclass(frozen=True)
class Archived:
    """The content of an archive.

    Attributes:
        num_runs: all runs in it.
        num_written: runs that this call added or replaced.
        num_bytes: size of all files.
    """

    num_runs: int
    num_written: int
    num_bytes: int


def archive(folder: Path, out: Path) -> Archived:
    """Write the complete runs of a sweep to an archive; other runs that are already in it stay.

    Args:
        folder: runs/NAME.
        out: directory of the archive; created if missing.

    Raises:
        InputError: no run is complete, a record cannot be read, or the archive would lie among the runs.
    """
    if out.resolve().is_relative_to(folder.resolve()) or folder.resolve().is_relative_to(out.resolve()):
        raise InputError(
            f"{out} is inside {folder}, or contains it; give a separate directory, such as results/{folder.name}"
        )
    complete = [(path, entry) for path, entry in record.read_runs(folder) if entry.status == "complete"]
    if not complete:
        raise InputError(f"{folder} has no complete run to archive; give runs/NAME of a sweep that was trained")
    written = sum(_write_run(path, entry, out / path.relative_to(folder)) for path, entry in complete)
    for path in folder.glob(COST_FILES):
        write_atomically(out / path.name, path.read_bytes())
    files = list(_files(out))
    return Archived(
        num_runs=sum(path.name == record.FILE_NAME for path in files),
        num_written=written,
        num_bytes=sum(path.stat().st_size for path in files),
    )


def _files(out: Path) -> Iterator[Path]:
    """Yield the archive's own files, without those of a report that was built in it."""
    return (path for path in out.rglob("*") if path.is_file() and path.relative_to(out).parts[0] != "report")


def _write_run(source: Path, entry: record.Record, target: Path) -> bool:
    """Write a run if it has changed, and return whether it has; its record last, to mark that the run is complete."""
    content = json.dumps(portable(record.finite(asdict(entry))), allow_nan=False) + "\n"
    known = target / record.FILE_NAME
    if known.is_file() and known.read_text(encoding="utf-8") == content:
        return False
    # The validation part serves to choose thresholds in years: not needed for methods that predict no years themselves.
    for name in (PREDICTIONS,) if entry.coarse_years else (PREDICTIONS, VALIDATION_PREDICTIONS):
        if (source / name).is_file():
            packed = lzma.compress((source / name).read_bytes(), preset=9 | lzma.PRESET_EXTREME)
            write_atomically(target / f"{name}{COMPRESSED}", packed)
    write_atomically(known, content)
    return True


def portable(value: Any) -> Any:
    """Return plain containers in which each absolute path is reduced to its last part."""
    if isinstance(value, dict):
        return {key: portable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [portable(inner) for inner in value]
    return PurePath(value).name if isinstance(value, str) and PurePath(value).is_absolute() else value
