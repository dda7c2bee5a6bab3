"""One run as JSON: its configuration, its data and machine, and its results. The source of truth of every table."""

import json
import math
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from agegender.system.errors import InputError
from agegender.system.files import write_atomically

SCHEMA = 1
FILE_NAME = "record.json"
PREDICTIONS = "predictions.csv"  # of the test part, beside the record
VALIDATION_PREDICTIONS = "predictions_val.csv"  # of the validation part, by the tested weights
COST_FILES = "cost*.json"  # of `agegender bench cost`, in runs/NAME
COMPRESSED = ".xz"  # suffix of a file in an archive
FINISHED = ("complete", "pruned")  # statuses of runs that are not repeated


@dataclass
class Record:
    """Everything recorded about one run.

    Attributes:
        status: `running` (started, perhaps killed since), `complete`, `failed`, or `pruned`: a trial that its search
            stopped early because others did better; it has validation scores, but was never tested.
        error: the reason of a failure, one line; None otherwise.
        choices: option chosen in each config group, and every key of the command line that makes another experiment.
        overrides: of this job, as Hydra had them: what `train.py` needs to repeat it. Empty in records of early
            versions.
        config: the resolved configuration, plain containers.
        history: one entry per finished epoch: `epoch` (1 is the first), `train_loss`, `val_loss`, `val_age_accuracy`,
            `val_gender_accuracy`, and `seconds` of training until its end, earlier attempts included. None where
            nothing was measured, or the value is not finite.
        network: one entry per layer in the order of execution, see `models.measure.layers`.
        tracking: by logger, where its run is: `url` of W&B, `run_id` of MLflow.
        normalization: `mean` and `std` of pixels in [0, 1] that images are normalized by, and their `source`.
        coarse_years: whether the method predicts the typical age of a group instead of an age for each face.
        time: `fit_seconds`, `images_per_second` and so on; `resident_bytes` of decoded images were kept on the GPU,
            which `jobs_per_gpu` jobs shared.
        val, test: scores; accuracies are shares in [0, 1].
    """

    status: str
    name: str
    choices: dict[str, Any]
    config: dict[str, Any]
    seed: int
    overrides: list[str] = field(default_factory=list)
    schema: int = SCHEMA
    error: str | None = None
    started: str | None = None  # UTC, ISO 8601
    finished: str | None = None
    wandb_id: str | None = None
    tracking: dict[str, dict[str, Any]] = field(default_factory=dict)
    git: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    num_params: int | None = None
    num_params_trainable: int | None = None
    gmacs: float | None = None
    network: list[dict[str, Any]] = field(default_factory=list)
    normalization: dict[str, Any] = field(default_factory=dict)
    coarse_years: bool | None = None
    history: list[dict[str, Any]] = field(default_factory=list)
    time: dict[str, Any] = field(default_factory=dict)
    best_epoch: int | None = None
    val: dict[str, Any] = field(default_factory=dict)
    test: dict[str, Any] = field(default_factory=dict)

    @property
    def num_sharing(self) -> int:
        """Return how many jobs shared this one's GPU; above 1 its times are not comparable."""
        return self.time.get("jobs_per_gpu", 1)  # an earlier version had no such key

    def setting(self, key: str) -> Any:
        """Return the value of a dotted key of the configuration; None where an earlier version had no such key."""
        return value_at(self.config, key)


def value_at(config: dict[str, Any], key: str) -> Any:
    """Return the value of a dotted key; None if there is none."""
    found: Any = config
    for name in key.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def read(folder: Path) -> Record | None:
    """Read the record of a run's directory; None if no run was started there.

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
        reason = error if path.stat().st_size else "it is empty"
        raise InputError(f"{path} is not a run's record ({reason}); delete it to run this job again") from error


def read_all(folder: Path) -> list[tuple[Path, Record]]:
    """Read all records below a directory, in the order of their paths; a broken one appears as a failed run."""
    found = []
    for path in sorted(folder.rglob(FILE_NAME)):
        try:
            record = read(path.parent)
        except InputError as error:
            record = _broken(path.parent.relative_to(folder), str(error))
        if record is not None:
            found.append((path.parent, record))
    return found


def _broken(place: Path, reason: str) -> Record:
    """Return a replacement for a record that cannot be read: what the directory's name says, and no configuration."""
    choices: dict[str, Any] = {}
    seed = 0
    if len(place.parts) >= 3 and place.parts[2].isdigit():  # model/loss/seed
        choices = {"model": place.parts[0], "loss": place.parts[1]}
        seed = int(place.parts[2])
    return Record(status="failed", name=place.as_posix(), choices=choices, config={}, seed=seed, error=reason)


def read_runs(folder: Path) -> list[tuple[Path, Record]]:
    """Read the records of the runs below runs/NAME: all but those of `eval.py`, which lie in directories `eval`."""
    return [(path, entry) for path, entry in read_all(folder) if "eval" not in path.relative_to(folder).parts]


def write(folder: Path, record: Record) -> None:
    """Write a run's record atomically; numbers that JSON does not have, infinite or NaN, as null."""
    write_atomically(folder / FILE_NAME, json.dumps(finite(asdict(record)), indent=2, allow_nan=False) + "\n")


def finite(value: Any) -> Any:
    """Return plain containers with None for each number that JSON does not have: infinite, or NaN."""
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def predictions_file(folder: Path, name: str = PREDICTIONS) -> Path:
    """Return the path of the predictions in a run's directory: plain as a job writes them, or packed in an archive."""
    packed = folder / f"{name}{COMPRESSED}"
    return packed if packed.exists() and not (folder / name).exists() else folder / name
