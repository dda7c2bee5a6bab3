"""Interleaved repeats: variants take turns, so that drifts of the machine's speed affect all of them equally."""

import gc
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import track

Timed = Callable[[], float]


@dataclass(frozen=True)
class Row:
    """The values of one variant.

    Attributes:
        measure: what was measured, such as "fit, small_cnn, 256 pixels".
        variant: how, such as "ours" or "reference".
        unit: of the values: "images/s", "s", "ms", "MB".
        values: one per repeat.
        ratios: of each repeat to the base variant in the same repeat, so that more is better; empty for the base.
        note: for the reader.
    """

    measure: str
    variant: str
    unit: str
    values: list[float]
    ratios: list[float] = field(default_factory=list)
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def ratio(self) -> float | None:
        """Median of the ratios; None for the base."""
        return statistics.median(self.ratios) if self.ratios else None


def compare(
    measure: str,
    variants: Mapping[str, Timed],
    *,
    unit: str,
    base: str,
    repeats: int,
    warmup: int = 1,
    notes: Mapping[str, str] | None = None,
) -> list[Row]:
    """Run variants in turn.

    Args:
        measure: what is measured.
        variants: functions that return one value in `unit`.
        unit: a rate such as "images/s", of which more is better, or another unit, of which less is better.
        base: the variant that the others are compared with.
        repeats: rounds after the warm-up.
        warmup: rounds whose values are dropped.
        notes: for single variants.
    """
    values: dict[str, list[float]] = {name: [] for name in variants}
    for turn in track(range(warmup + repeats), measure, transient=True, console=Console()):
        names = list(variants)[:: 1 if turn % 2 == 0 else -1]  # so that no variant is always first
        for name in names:
            gc.collect()  # trainers hang in cycles, and with them what lies on a GPU
            value = variants[name]()
            if turn >= warmup:
                values[name].append(value)
    more_is_better = unit.endswith("/s")
    rows = []
    for name, own in values.items():
        pairs = zip(own, values[base], strict=True)
        ratios = [] if name == base else [(a / b if more_is_better else b / a) for a, b in pairs]
        rows.append(Row(measure, name, unit, own, ratios, (notes or {}).get(name, "")))
    return rows
