"""One table of all networks' rates, from the JSON files of `agegender bench gpu`: python campaign_rates.py DIR."""

import json
import sys
from pathlib import Path
from typing import Any

_COLUMNS = (
    "bare loop",
    "fit",
    "fit, no autotuner",
    "bare loop, compiled",
    "fit, compiled",
    "reference",
    "kernels per step in fit",
    "busy share of fit %",
    "ms per step in fit",
    "last.ckpt s",
)


def rates_table(folder: Path) -> str:
    """Return a Markdown table with a row for each network, in images/s where nothing else is said, and the shared jobs.

    Args:
        folder: with `<anything>/gpu.json` and `<anything>/gpu_jobs.json`, or `<anything>.json`.
    """
    networks: dict[str, dict[str, float]] = {}
    shared: list[str] = []
    head = ""
    for path in sorted(folder.rglob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        machine = content["head"]
        device = machine["gpu"] or machine["processor"]
        head = f"{device}, Python {machine['python']}, torch {machine['versions']['torch']}"
        for row in content["rows"]:
            kind, name = row["measure"].split(", ", 1)
            if kind == "jobs that share the device":
                shared.append(f"{name}: {row['variant']}: {row['median']:,.0f} images/s together")
            else:
                column = _column(kind, row)
                if column is not None:
                    networks.setdefault(name, {}).setdefault(column, row["median"])
    lines = ["| network | " + " | ".join(_COLUMNS) + " |", "|---" * (len(_COLUMNS) + 1) + "|"]
    for name, values in networks.items():
        if "fit" in values:
            values["ms per step in fit"] = 1000 * int(name.rpartition(" ")[2]) / values["fit"]
        cells = [_number(values[column]) if column in values else "" for column in _COLUMNS]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join([head, "", *lines, "", *(f"- {line}" for line in shared)]).rstrip() + "\n"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _column(kind: str, row: dict[str, Any]) -> str | None:
    variant = row["variant"]
    if kind == "rate":
        return variant
    if kind == "last.ckpt":
        return "last.ckpt s"
    if variant.startswith("fit: ") and row["unit"] == "per step":
        return "kernels per step in fit"
    return "busy share of fit %" if variant == "fit: busy share" else None


if __name__ == "__main__":
    print(rates_table(Path(sys.argv[1])), end="")
