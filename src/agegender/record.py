"""One run as JSON: what was asked, on what data and machine, and what came out. The source of truth of every table."""

import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from agegender.errors import InputError

SCHEMA = 1
FILE_NAME = "record.json"


@dataclass
class Record:
    """What is known of one run.

    Attributes:
        status: `running` (begun, perhaps killed since), `complete` or `failed`.
        error: the reason of a failure, one line; None otherwise.
        choices: option chosen in each config group, and every swept key.
        config: the resolved configuration, plain containers.
        fit_seconds etc. live in `time`; accuracies in `val` and `test` are shares in [0, 1].
    """

    status: str
    name: str
    choices: dict[str, Any]
    config: dict[str, Any]
    seed: int
    schema: int = SCHEMA
    error: str | None = None
    started: str | None = None  # UTC, ISO 8601
    finished: str | None = None
    wandb_id: str | None = None
    git: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    num_params: int | None = None
    num_params_trainable: int | None = None
    gmacs: float | None = None
    time: dict[str, Any] = field(default_factory=dict)
    best_epoch: int | None = None
    val: dict[str, Any] = field(default_factory=dict)
    test: dict[str, Any] = field(default_factory=dict)


def read(folder: Path) -> Record | None:
    """Read the record of a run's directory; None where none was begun.

    Raises:
        InputError: the file is not a record that this version can read.
    """
    path = folder / FILE_NAME
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values["schema"] != SCHEMA:
            raise InputError(
                f"{path} has schema {values['schema']}, this version reads {SCHEMA}; run it again elsewhere"
            )
        return Record(**{key.name: values[key.name] for key in fields(Record) if key.name in values})
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is not a run's record ({error}); delete it to run this job anew") from error


def read_all(folder: Path) -> list[tuple[Path, Record]]:
    """Read every record below a directory, in the order of their paths."""
    found = []
    for path in sorted(folder.rglob(FILE_NAME)):
        record = read(path.parent)
        if record is not None:
            found.append((path.parent, record))
    return found


def write(folder: Path, record: Record) -> None:
    """Write a run's record, whole or not at all."""
    write_atomically(folder / FILE_NAME, json.dumps(asdict(record), indent=2, allow_nan=False) + "\n")


def write_atomically(path: Path, text: str, *, errors: str = "backslashreplace") -> None:
    """Write a text file under a temporary name and rename it: a reader sees the old text or the new one.

    Args:
        path: its directory is made where it is missing.
        text: what to write.
        errors: how characters without UTF-8 are written, as for `str.encode`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8", errors=errors)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
