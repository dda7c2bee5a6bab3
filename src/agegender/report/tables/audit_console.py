"""The audit of a data set on the console."""

from typing import Any

from rich.console import Console
from rich.table import Table

_MAX_SKIPPED = 20  # skipped files that are printed; audit.json lists all


def print_audit(found: dict[str, Any], console: Console | None = None) -> None:
    """Print the result of `agegender.data.audit`, as its `to_dict` returns it, with `labels` of a labelled source."""
    console = console or Console()
    total = found["files"]
    usable = found["usable"]
    console.print(f"{found['root']}: {total:,} image files, {usable:,} usable", highlight=False, markup=False)
    if "labels" in found:
        counts = [
            f"{key.replace('_', ' ')} {number:,}" for key, number in found["labels"].items() if isinstance(number, int)
        ]
        console.print(f"Labels from {found['labels']['name']}: {', '.join(counts)}", highlight=False, markup=False)
    for title, key in ((f"Age group ({found['scheme']})", "groups"), ("Gender", "genders"), ("Race", "races")):
        view = Table(title, "Images", "Share", box=None, header_style="bold", padding=(0, 2, 0, 0))
        for name, number in found[key].items():
            view.add_row(name, f"{number:,}", f"{100 * number / max(usable, 1):.1f} %")
        console.print(view)
    for title, key in (("Byte-identical", "exact"), ("Near duplicates", "near")):
        sets = found[key]
        console.print(
            f"{title}: {sets['sets']:,} sets, {sets['files']:,} files; {sets['conflicting_sets']:,} sets disagree on "
            "age or gender",
            highlight=False,
        )
    if found["crops"]["sets"]:
        console.print(
            f"The same photograph in several crops: {found['crops']['sets']:,} photographs, "
            f"{found['crops']['files']:,} files, by the age, gender, race and date in their names",
            highlight=False,
        )
    noise = found["disagreement"]
    if noise["pairs"]:
        console.print(
            f"Label noise: of {noise['pairs']:,} pairs of identical files {100 * noise['group']:.1f} % differ in age "
            f"group and {100 * noise['gender']:.1f} % in gender; their ages differ by {noise['years']:.1f} years",
            highlight=False,
        )
    leak = found["leak"]
    if leak["test"]:
        share = 100 * leak["test_with_copy_elsewhere"] / leak["test"]
        console.print(
            f"A random split leaks: {leak['test_with_copy_elsewhere']:,} of {leak['test']:,} test images "
            f"({share:.1f} %) have a copy, near duplicate or other crop in training or validation",
            highlight=False,
        )
    for name, split in found["split"].items():
        parts = ", ".join(f"{key.replace('_', ' ')} {number:,}" for key, number in split.items())
        console.print(f"Split with {name}: {parts}", highlight=False)
    if len(found["split"]) < 2:
        console.print("Too few usable images for a training, validation and test part", highlight=False)
    skipped = list(found["skipped"].items())
    console.print(f"Skipped: {len(skipped):,} files", highlight=False)
    for name, reason in skipped[:_MAX_SKIPPED]:
        console.print(f"  {name}: {reason}", highlight=False, markup=False)
    if len(skipped) > _MAX_SKIPPED:
        console.print(f"  ... and {len(skipped) - _MAX_SKIPPED:,} more in audit.json", highlight=False)
