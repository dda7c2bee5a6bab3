"""The table of rates, from the benchmark's JSON files."""

import json
from pathlib import Path
from typing import Any

from campaign_rates import rates_table

TITLE = "small_cnn, 256 px, batch 32"


def row(measure: str, variant: str, median: float, unit: str = "images/s") -> dict[str, Any]:
    return {"measure": f"{measure}, {TITLE}", "variant": variant, "median": median, "unit": unit}


def write(path: Path, *rows: dict[str, Any]) -> None:
    head = {"gpu": "A GPU", "processor": "a CPU", "python": "3.12.3", "versions": {"torch": "2.11.0"}}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"head": head, "rows": rows}))


def test_a_row_has_the_rates_of_both_calls_and_the_time_of_a_step(tmp_path: Path) -> None:
    work = [
        row("work of a step", "fit: kernels", 190.0, "per step"),
        row("work of a step", "bare loop: kernels", 170.0, "per step"),
        row("work of a step", "fit: busy share", 45.0, "%"),
    ]
    rates = [row("rate", "bare loop", 17000.0), row("rate", "fit", 16000.0)]
    write(tmp_path / "small_cnn" / "gpu.json", *rates, *work, row("last.ckpt", "write", 0.25, "s"))
    write(tmp_path / "small_cnn-compiled" / "gpu.json", row("rate", "fit, compiled", 20000.0))
    write(tmp_path / "jobs" / "gpu_jobs.json", row("jobs that share the device", "2 jobs", 30000.0))
    lines = rates_table(tmp_path).splitlines()
    assert lines[0] == "A GPU, Python 3.12.3, torch 2.11.0"
    cells = dict(zip(lines[2].split(" | "), lines[4].split(" | "), strict=True))
    assert (cells["fit"], cells["fit, compiled"], cells["reference"]) == ("16,000", "20,000", "")
    assert (cells["kernels per step in fit"], cells["busy share of fit %"], cells["ms per step in fit"]) == (
        "190",
        "45",
        "2",
    )
    assert lines[-1] == f"- {TITLE}: 2 jobs: 30,000 images/s together"
