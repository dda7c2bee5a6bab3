"""The audit of a data set: counts, unusable files, copies, conflicting labels, and the leak of a random split."""

from collections import Counter
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from agegender.data.duplicates import exact_duplicates
from agegender.data.photographs import crops, units
from agegender.data.sources.base import FaceTable
from agegender.data.split import Split, make_split
from agegender.labels import GENDERS, RACES, AgeGroups
from agegender.system.errors import InputError


@dataclass(frozen=True)
class Audit:
    """The findings, in plain containers.

    Attributes:
        files, usable: numbers of files.
        ages, groups, genders, races: numbers of usable files, by name.
        skipped: reasons by file name.
        exact, near: of byte-identical files and of near duplicates: the number of `sets`, of `files` in them, and of
            `conflicting_sets`, whose files disagree on age or gender.
        crops: the same for photographs with several crops, recognized by the age, gender, race and date in their names.
        disagreement: of two byte-identical files: the number of such `pairs`, the shares of them with different age
            `group` and different `gender`, and the mean difference of their ages in `years`.
        leak: of a random split without leak control: the number of its `test` images, and of those that have a copy,
            near duplicate or other crop in training or validation, `test_with_copy_elsewhere`.
        split: sizes of the parts, with and without leak control, if there are enough usable images.
    """

    root: str
    fingerprint: str
    scheme: str
    files: int
    usable: int
    ages: dict[str, int]
    groups: dict[str, int]
    genders: dict[str, int]
    races: dict[str, int]
    skipped: dict[str, str]
    exact: dict[str, int]
    near: dict[str, int]
    crops: dict[str, int]
    disagreement: dict[str, float]
    leak: dict[str, int]
    split: dict[str, dict[str, int]]

    def to_dict(self) -> dict[str, Any]:
        """Return plain containers, for JSON."""
        return asdict(self)


def audit(table: FaceTable, groups: AgeGroups, root: str, *, seed: int = 0) -> Audit:
    """Examine a table.

    Args:
        table: all files of a source.
        groups: the age-group scheme.
        root: name of the source.
        seed: of the random split whose leak is counted.
    """
    usable = table.usable
    spans = list(zip(table.ages[usable].tolist(), table.last_ages[usable].tolist(), strict=True))
    group = table.groups(groups)[usable]
    splits = {
        f"leak_control={str(on).lower()}": _split(table, groups, leak_control=on, seed=seed) for on in (True, False)
    }
    random = splits["leak_control=false"]
    return Audit(
        root=root,
        fingerprint=table.fingerprint,
        scheme=groups.scheme,
        files=len(table),
        usable=int(usable.sum()),
        ages={_age_name(*span): number for span, number in sorted(Counter(spans).items())},
        groups=_count(group, groups.names, "no group"),
        genders=_count(table.genders[usable], GENDERS, "unknown"),
        races=_count(table.races[usable], RACES, "unknown"),
        skipped=table.skipped_by_name,
        exact=_sets(table, list(exact_duplicates(table).groups)),
        near=_sets(table, _near_sets(table)),
        crops=_sets(table, crops(table)),
        disagreement=_disagreement(table, groups),
        leak=_leak(table, random) if random is not None else {"test": 0, "test_with_copy_elsewhere": 0},
        split={
            name: {"train": len(split.train), "val": len(split.val), "test": len(split.test), **split.dropped}
            for name, split in splits.items()
            if split is not None
        },
    )


def _age_name(first: int, last: int) -> str:
    if first < 0:
        return "unknown"
    return str(first) if first == last else f"{first}-{last}"


def _split(table: FaceTable, groups: AgeGroups, *, leak_control: bool, seed: int) -> Split | None:
    """Split a table; None if too few images are usable, as an audit must work then too."""
    try:
        return make_split(table, groups, leak_control=leak_control, seed=seed)
    except InputError:
        return None


def duplicate_rows(table: FaceTable) -> list[np.ndarray]:
    """Return the rows of each set of near duplicates, exact copies included, largest set first."""
    return sorted(_near_sets(table), key=len, reverse=True)


def _near_sets(table: FaceTable) -> list[np.ndarray]:
    rows = np.flatnonzero(table.usable)
    order = rows[np.argsort(table.clusters[rows], kind="stable")]
    ends = np.flatnonzero(np.diff(table.clusters[order])) + 1
    return [members for members in np.split(order, ends) if len(members) > 1]


def _sets(table: FaceTable, sets: list[np.ndarray]) -> dict[str, int]:
    labelled = [set(zip(table.ages[rows], table.last_ages[rows], table.genders[rows], strict=True)) for rows in sets]
    return {
        "sets": len(sets),
        "files": sum(len(rows) for rows in sets),
        "conflicting_sets": sum(len(seen) > 1 for seen in labelled),
    }


def _disagreement(table: FaceTable, groups: AgeGroups) -> dict[str, float]:
    """Compare the labels of every pair of identical files: two labels of one image."""
    pairs = [pair for rows in exact_duplicates(table).groups for pair in combinations(rows.tolist(), 2)]
    if not pairs:
        return {"pairs": 0}
    first, second = np.array(pairs).T
    group = table.groups(groups)
    both = (table.years[first] >= 0) & (table.years[second] >= 0)
    years = np.abs(table.years[first] - table.years[second])[both]
    return {
        "pairs": len(pairs),
        "group": float((group[first] != group[second]).mean()),
        "gender": float((table.genders[first] != table.genders[second]).mean()),
        "years": float(years.mean()) if len(years) else 0.0,
    }


def _leak(table: FaceTable, split: Split) -> dict[str, int]:
    unit = units(table)
    elsewhere = np.unique(unit[np.concatenate([split.train, split.val])])
    leaked = np.isin(unit[split.test], elsewhere)
    return {"test": len(split.test), "test_with_copy_elsewhere": int(leaked.sum())}


def _count(values: np.ndarray, names: tuple[str, ...], otherwise: str) -> dict[str, int]:
    counts = {name: int((values == index).sum()) for index, name in enumerate(names)}
    rest = len(values) - sum(counts.values())
    return counts | ({otherwise: rest} if rest else {})
