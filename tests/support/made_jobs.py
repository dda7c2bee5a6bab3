"""Records of jobs, the tables made of them, and what is read from these."""

import copy
import io
from pathlib import Path
from typing import Any

from rich.console import Console

from agegender.records import record
from agegender.records.record import Record
from agegender.report.tables.console import print_table
from agegender.report.tables.rows import ComparisonTable, compare_jobs
from agegender.report.write import write_report

REASON = "RuntimeError: a|b \\| c [bold]d[/bold] <script>e</script>\nand 5% of $x_1$ & {#2} ~ ^ at C:\\tmp"
LONG = "RuntimeError: " + "word " * 60 + "/a/path/without/a/single/space/" + "x" * 90


JOB: dict[str, Any] = {
    "status": "complete",
    "name": "mine",
    "choices": {"model": "resnet18", "loss": "plain"},
    "config": {
        "trainer": {"max_epochs": 30, "limit_train_batches": 1.0, "fast_dev_run": False, "overfit_batches": 0.0},
        "data": {"batch_size": 32},
        "optimizer": {"_target_": "torch.optim.Adam", "lr": 1e-4},
        "monitor": "val/loss",
    },
    "seed": 0,
    "data": {
        "root": "UTKFace.tar",
        "fingerprint": "f" * 64,
        "image_size": 256,
        "age_groups": {"scheme": "closed"},
        "counts": {"files": 24_106, "skipped": 2, "dropped": {"exact": 3, "near": 1}, "train": 15, "val": 2, "test": 3},
        "leak_control": True,
        "split_hash": "0123456789abcdef",
    },
    "environment": {
        "num_devices": 1,
        "accelerator": "cuda",
        "device": "A GPU",
        "threads": 2,
        "precision": "bf16-mixed",
        "torch": "2.14.1",
    },
    "num_params": 11_181_642,
    "gmacs": 2.3691,
    "time": {"fit_seconds": 1234.5, "images_per_second": 987.6},
    "test": {
        "age_accuracy": 0.5860123,
        "gender_accuracy": 0.87,
        "age_one_off_accuracy": 0.9,
        "age_balanced_accuracy": 0.5,
        "age_mae_years": 6.789,
        "mean_accuracy": 0.7,
        "age_confusion": [[3, 0], [1, 0]],
        "gender_confusion": [[2, 1], [0, 1]],
    },
}


def job(model: str = "resnet18", loss: str = "plain", seed: int = 0, **changes: Any) -> Record:
    """A complete job; `changes` are keys with their dots as double underscores, and their other values."""
    values = copy.deepcopy(JOB) | {"choices": {"model": model, "loss": loss}, "seed": seed}
    for key, value in changes.items():
        *parents, last = key.split("__")
        node = values
        for parent in parents:
            node = node[parent]
        node[last] = value
    return Record(**values)


def failed(reason: str, loss: str = "weighted") -> Record:
    choices = {"model": "vgg11", "loss": loss}
    return Record(status="failed", name="mine", choices=choices, config={}, seed=0, error=reason)


def table_of(*records: Record) -> ComparisonTable:
    return compare_jobs((Path(str(number)), entry) for number, entry in enumerate(records))


def files_of(folder: Path, *records: Record) -> dict[str, str]:
    for number, entry in enumerate(records):
        record.write(folder / str(number), entry)
    write_report(folder)
    return {kind: (folder / "report" / f"table.{kind}").read_text() for kind in ("md", "csv", "tex")}


def shown(table: ComparisonTable, width: int) -> list[str]:
    """The lines of the table itself on a terminal of this width."""
    text = io.StringIO()
    print_table(table, Console(file=text, width=width, force_terminal=True, color_system=None))
    lines = text.getvalue().splitlines()
    return lines[
        : next(index for index, line in enumerate(lines) if line.startswith(("Data: ", "Warning: ", "No job")))
    ]
