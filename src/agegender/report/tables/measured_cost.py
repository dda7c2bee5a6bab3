"""Training rates that were measured side by side: the JSON files of `agegender bench cost` in a sweep's directory.

Times of jobs that shared a machine cannot be compared; training steps of all networks in turn on an idle machine can.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agegender.records.record import COST_FILES
from agegender.report.page.document import Cell, Grid, Heading
from agegender.report.paper import TABLE_2

_MEASURE = re.compile(r"cost of training, (\d+) px, batch (\d+)")


@dataclass(frozen=True)
class MeasuredCost:
    """Training rates of several networks at one image size.

    Attributes:
        image_size: height and width in pixels.
        batch_size: images per step.
        rates: by model, images per second of each repeat; the repeats of all models are interleaved.
        notes: by model, number of parameters and GMAC.
        hardware: processor or GPU, and the version of torch.
    """

    image_size: int
    batch_size: int
    rates: dict[str, list[float]]
    notes: dict[str, str]
    hardware: str

    def ratios(self, model: str, base: str) -> list[float]:
        """Return the rate of a model divided by that of another, for each repeat."""
        return [one / other for one, other in zip(self.rates[model], self.rates[base], strict=True)]


def read_costs(folder: Path) -> list[MeasuredCost]:
    """Read all measurements in a sweep's directory, ordered by image size; other benchmarks are ignored."""
    found: dict[int, MeasuredCost] = {}
    for path in sorted(folder.glob(COST_FILES)):
        content = json.loads(path.read_text(encoding="utf-8"))
        head = content["head"]
        hardware = f"{head['cores']} cores of {head['processor']}" if not head["gpu"] else str(head["gpu"])
        hardware += f", torch {head['versions']['torch']}"
        for row in content["rows"]:
            measured = _MEASURE.match(row["measure"])
            if measured is None:
                continue
            size, batch = map(int, measured.groups())
            cost = found.setdefault(size, MeasuredCost(size, batch, {}, {}, hardware))
            cost.rates[row["variant"]] = row["values"]
            cost.notes[row["variant"]] = row["note"]
    return [found[size] for size in sorted(found)]


def measured_cost_grid(cost: MeasuredCost, base: str) -> Grid:
    """Return a table of rates beside the paper's training times, both relative to the network `base`."""
    own = TABLE_2.get((base, "plain"))
    rows = []
    for model, rates in cost.rates.items():
        ratios = cost.ratios(model, base)
        paper = TABLE_2.get((model, "plain"))
        time = None if paper is None else paper.training_time
        paper_cells = [Cell("-"), Cell("-")]
        if time is not None and own is not None and own.training_time is not None:
            paper_cells = [Cell(f"{time:g}", time), Cell(f"{own.training_time / time:.2f}", own.training_time / time)]
        rows.append(
            (
                Cell(model, model, note=cost.notes[model]),
                Cell(f"{np.median(rates):.1f}", float(np.median(rates)), note=_range(rates, 1)),
                Cell(f"{np.median(ratios):.2f}", float(np.median(ratios)), note=_range(ratios, 2)),
                *paper_cells,
            )
        )
    headings = (
        Heading("Network"),
        Heading("Images/s", "Median of the repeats, their range below.", numeric=True),
        Heading(f"Rate relative to {base}", "Median of the ratios of each repeat, their range below.", numeric=True),
        Heading("Paper's time", "As printed, without a unit.", numeric=True),
        Heading(f"Paper: {base}'s time divided by it", "The third column as the paper's times imply it.", numeric=True),
    )
    caption = f"Training rates side by side, {cost.image_size} pixels, batch {cost.batch_size}"
    number = len(next(iter(cost.rates.values())))
    note = f"{number} interleaved repeats on an otherwise idle machine: {cost.hardware}. `agegender bench cost`."
    return Grid(caption, headings, tuple(rows), (note,))


def _range(values: Sequence[float], decimals: int) -> str:
    return f"{min(values):.{decimals}f} to {max(values):.{decimals}f}"
