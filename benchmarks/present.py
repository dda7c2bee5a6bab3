"""The output of a benchmark: machine, versions and a table, and the same as JSON."""

import itertools
import json
import os
import platform
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from agegender.system.cores import available_cores
from agegender.system.files import write_atomically
from agegender.system.provenance import cpu_name, git_state
from benchmarks.measure import Row

_PACKAGES = ("torch", "torchvision", "lightning", "pillow", "numpy", "onnxruntime")


def head() -> dict[str, Any]:
    """Return the machine and the versions of a measurement."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": cpu_name(),
        "cores": len(available_cores()),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "gpu": _gpu(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in _PACKAGES},
        "git": git_state(),
        "load_before": os.getloadavg()[0],
    }


def _gpu() -> str | None:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def save(path: Path, about: dict[str, Any], settings: dict[str, Any], rows: list[Row]) -> None:
    """Write machine and versions, settings and all single values as JSON."""
    content = {
        "head": about,
        "settings": settings,
        "rows": [asdict(row) | {"median": row.median, "ratio": row.ratio} for row in rows],
    }
    write_atomically(path, json.dumps(content, indent=2) + "\n")


def show(about: dict[str, Any], rows: list[Row]) -> None:
    """Print machine and versions, and the table: medians, spread, and ratios to the row without a ratio."""
    console = Console()
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items() if number)
    console.print(
        f"{about['cores']} cores of {about['processor']}, {about['memory_gb']:g} GB, GPU: {about['gpu'] or 'none'}; "
        f"Python {about['python']}, {versions}",
        soft_wrap=True,
    )
    for measure, own in itertools.groupby(rows, key=lambda row: row.measure):
        table = Table("", "unit", box=None, pad_edge=False, title=f"\n[bold]{measure}", title_justify="left")
        for title in ("median", "min", "max", "n", "ratio", "ratio range"):
            table.add_column(title, justify="right", no_wrap=True)
        table.add_column("")
        for row in own:
            ratio = f"{row.ratio:.2f} x" if row.ratio is not None else ""
            ratio_range = f"{min(row.ratios):.2f}-{max(row.ratios):.2f}" if row.ratios else ""
            table.add_row(
                row.variant,
                row.unit,
                _number(row.median),
                _number(min(row.values)),
                _number(max(row.values)),
                str(len(row.values)),
                ratio,
                ratio_range,
                row.note,
            )
        console.print(table)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
