"""A sweep that is to be disturbed: how it is started, what it leaves, and whether two of them came to the same."""

import csv
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
# 32 pixels take networks that train in seconds; a checkpoint every few steps, so that a kill may hit one being written.
TINY = (
    *("experiment=demo", "name=faults", "loss=plain,weighted", "data.image_size=32", "data.batch_size=8"),
    *("trainer=cpu", "trainer.max_epochs=2", "checkpoint_minutes=0.01", "logger=none"),
    "trainer.enable_progress_bar=false",
)
_MEASURED = {"fit_seconds", "images_per_second", "seconds"}  # no two runs have the same
_PREDICTIONS = ("predictions.csv", "predictions_val.csv")


@dataclass(frozen=True)
class Ended:
    """How one attempt ended.

    Attributes:
        code: exit code, or the negative number of the signal.
        output: of this attempt, both streams.
        seconds: that it took.
    """

    code: int
    output: str
    seconds: float


class Attempt:
    """One start of a sweep's command in a directory, which keeps `runs` and `cache` for the next one.

    Args:
        folder: where it runs.
        overrides: beside those that all have.
    """

    def __init__(self, folder: Path, *overrides: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._output = folder / "output.txt"
        self._started = time.monotonic()
        fonts = folder.parent / "matplotlib"  # their list takes seconds to make
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "train.py"), "-m", *TINY, *overrides],
                cwd=folder,
                env={
                    **{key: value for key, value in os.environ.items() if not key.startswith("WANDB")},
                    **{"AGEGENDER_CACHE": str(folder / "cache"), "MPLCONFIGDIR": str(fonts), "OMP_NUM_THREADS": "1"},
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a process group of its own
            )

    def read_output(self) -> str:
        return self._output.read_text(errors="replace")

    def wait(self) -> Ended:
        try:
            code = self.process.wait()
        except BaseException:  # the campaign is interrupted
            self.process.kill()
            raise
        return Ended(code, self.read_output(), time.monotonic() - self._started)


def read_result(folder: Path) -> dict[str, Any]:
    """Read what no disturbance may change: tables, predictions and records but for what was measured in seconds."""
    runs = folder / "runs" / "faults"
    result: dict[str, Any] = {}
    for name in ("runs.csv", "table.csv"):
        with (runs / "report" / name).open(newline="") as file:
            rows = list(csv.DictReader(file))
        result[name] = [{key: value for key, value in row.items() if key not in _MEASURED} for row in rows]
    for path in sorted(runs.rglob("record.json")):
        record = json.loads(path.read_text())
        job = path.parent.relative_to(runs).as_posix()
        kept = {key: record[key] for key in ("status", "error", "val", "test", "best_epoch", "num_params")}
        kept |= {key: record["data"][key] for key in ("fingerprint", "counts", "split_hash")}
        kept["history"] = [
            {key: value for key, value in epoch.items() if key not in _MEASURED} for epoch in record["history"]
        ]
        result |= {f"{job}: {key}": value for key, value in kept.items()}
        result |= {f"{job}: {name}": (path.parent / name).read_bytes() for name in _PREDICTIONS}
    return result


def find_differences(expected: dict[str, Any], folder: Path) -> list[str]:
    """Name what a finished sweep has otherwise than the undisturbed one, and what it left over."""
    got = read_result(folder)
    differing = [key for key in sorted(expected | got) if expected.get(key) != got.get(key)]
    return differing + find_leftovers(folder)


def find_leftovers(folder: Path) -> list[str]:
    """Name files that are hidden or temporary by their names: no finished sweep has any."""
    found = [path.relative_to(folder) for part in ("runs", "cache") for path in (folder / part).rglob("*")]
    return [f"left over: {path}" for path in found if path.name.startswith(".") or path.suffix == ".tmp"]


def find_broken_records(folder: Path) -> list[str]:
    """Name the records that are no JSON; those of killed jobs must be."""
    broken = []
    for path in (folder / "runs").rglob("record.json"):
        try:
            json.loads(path.read_text())
        except ValueError:
            broken.append(f"broken: {path.relative_to(folder)}")
    return broken


def find_summary(output: str) -> str | None:
    """Return the line that tells how many jobs were trained and skipped, and how many of them were resumed."""
    told = re.search(r"^\d+ jobs: .*", output, flags=re.MULTILINE)
    resumed = output.count("resuming from its last checkpoint")
    return None if told is None else f"{told[0]}{f' {resumed} resumed.' if resumed else ''}"
