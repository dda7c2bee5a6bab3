"""Splits that are not drawn at random: a set's own parts, its own folds, and cross-validation of any set.

The test part is given, so leak control leaves it alone: what would leak from it is dropped from the training side.
"""

from dataclasses import dataclass

import numpy as np

from agegender.data.duplicates import exact_duplicates
from agegender.data.photographs import exclusive_units
from agegender.data.sources.base import FaceTable
from agegender.data.split import PARTS, VAL_SHARE, Split, apportion, has_task, without_task
from agegender.labels import AgeGroups
from agegender.system.errors import InputError

_TRAIN, _VAL, _TEST = range(3)
_LEFT_OUT = -1


@dataclass(frozen=True)
class Protocol:
    """Which split is asked for.

    Attributes:
        official: whether to use the set's own parts.
        fold: to test on; None: no folds.
        num_folds: of a cross-validation; None: the set's own folds.
    """

    official: bool = False
    fold: int | None = None
    num_folds: int | None = None

    def __post_init__(self) -> None:
        if self.num_folds is not None and self.fold is None:
            folds = ",".join(map(str, range(self.num_folds)))
            raise InputError(f"data.folds={self.num_folds} needs the fold to test on: train.py -m data.fold={folds}")
        if self.num_folds is not None and self.official:
            raise InputError(f"data.folds={self.num_folds} makes folds of its own; leave out data.split=official")
        if self.num_folds is not None and self.fold is not None and self.fold >= self.num_folds:
            raise InputError(f"data.fold={self.fold}: data.folds={self.num_folds} has 0 to {self.num_folds - 1}")

    @property
    def is_random(self) -> bool:
        """Whether nothing but a random split is asked for."""
        return not self.official and self.fold is None


def split_by(protocol: Protocol, table: FaceTable, groups: AgeGroups, *, leak_control: bool, seed: int) -> Split:
    """Split a table as a protocol says.

    Without validation images of its own, a share of the training images, drawn as in a random split, is validated on.

    Args:
        protocol: not a random one.
        table: all files.
        groups: the scheme.
        leak_control: drop training images that are duplicates of test images, or show the same person or photograph;
            keep one of identical training images, none if their labels conflict.
        seed: of the validation part, and of the folds of a cross-validation.

    Raises:
        InputError: the data have no such parts or folds.
    """
    group = np.where(table.usable, table.groups(groups), -1)
    keep = table.usable & has_task(table, group)
    dropped = without_task(table, group, keep)
    units = exclusive_units(table)
    part = _given_parts(protocol, table, group, keep, units, seed)
    dropped["without_part"] = int((keep & (part == _LEFT_OUT)).sum())
    keep &= part != _LEFT_OUT
    if leak_control:
        keep, more = _without_leaks(table, part, keep, units)
        dropped |= more
    if not (keep & (part == _VAL)).any():
        training = np.flatnonzero(keep & (part == _TRAIN))
        part[training[draw_share(group[training], units[training] if leak_control else training, VAL_SHARE, seed)]] = (
            _VAL
        )
    rows = [np.flatnonzero(keep & (part == index)) for index in range(len(PARTS))]
    empty = [name for name, own in zip(PARTS, rows, strict=True) if not len(own)]
    if empty:
        raise InputError(f"no usable image is left for {empty[0]}; every part needs some: give more images")
    return Split(*rows, dropped=dropped)


def _given_parts(
    protocol: Protocol, table: FaceTable, group: np.ndarray, keep: np.ndarray, units: np.ndarray, seed: int
) -> np.ndarray:
    """Return 0 training, 1 validation, 2 test or -1 of each row."""
    if protocol.fold is not None:
        folds = _folds(protocol, table, group, keep, units, seed)
        known = np.unique(folds[keep & (folds >= 0)]).tolist()
        if protocol.fold not in known:
            raise InputError(f"data.fold={protocol.fold}: the data have the folds {', '.join(map(str, known))}")
        return np.where(folds < 0, _LEFT_OUT, np.where(folds == protocol.fold, _TEST, _TRAIN))
    parts = ("",) * len(table) if table.of_set is None else table.of_set.parts
    if "test" not in parts or "train" not in parts:
        has_folds = table.of_set is not None and bool((table.of_set.folds >= 0).any())
        advice = "it has folds: data.fold=0,1,2,3,4 with -m" if has_folds else "use a random split, or data.folds=5"
        raise InputError(f"data.split=official: these data have no training and test part of their own; {advice}")
    return np.array([PARTS.index(part) if part else _LEFT_OUT for part in parts])


def _folds(
    protocol: Protocol, table: FaceTable, group: np.ndarray, keep: np.ndarray, units: np.ndarray, seed: int
) -> np.ndarray:
    if protocol.num_folds is None:
        if table.of_set is None or not (table.of_set.folds >= 0).any():
            raise InputError(f"data.fold={protocol.fold}: these data have no folds of their own; add data.folds=5")
        return table.of_set.folds
    folds = np.full(len(table), -1)
    rows = np.flatnonzero(keep)
    folds[rows] = make_folds(group[rows], units[rows], protocol.num_folds, seed)
    return folds


def _without_leaks(
    table: FaceTable, part: np.ndarray, keep: np.ndarray, units: np.ndarray
) -> tuple[np.ndarray, dict[str, int]]:
    """Return which rows are left, bool (N,), and the numbers of training images dropped, by reason."""
    training = keep & (part != _TEST)
    duplicates = exact_duplicates(table)
    leaking = training & np.isin(units, units[keep & (part == _TEST)])
    contradictory = training & ~leaking & duplicates.contradictory(len(table))
    redundant = training & ~leaking & ~contradictory & duplicates.redundant(len(table))
    validating = np.isin(units, units[keep & (part == _VAL) & ~leaking])
    shared = training & (part == _TRAIN) & ~leaking & ~contradictory & ~redundant & validating
    counts = {
        "leaks_of_test": int(leaking.sum()),
        "leaks_of_validation": int(shared.sum()),
        "conflicting_duplicates": int(contradictory.sum()),
        "exact_duplicates": int(redundant.sum()),
    }
    return keep & ~leaking & ~contradictory & ~redundant & ~shared, counts


def draw_share(group: np.ndarray, units: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Draw a share of images, every group in proportion as far as units allow.

    Args:
        group: (N,) stratum of each image.
        units: (N,) number of each image's unit; images of a unit are drawn together.
        share: of the images.
        seed: of the random order.

    Returns:
        bool (N,).
    """
    total = round(share * len(group))
    strata = np.unique(group, return_inverse=True)[1]
    left = apportion(np.bincount(strata), total)
    chosen = np.zeros(len(group), dtype=bool)
    members = _members(units, seed)
    for rows in members:
        needed = np.bincount(strata[rows], minlength=len(left))
        if (needed <= left).all():
            chosen[rows] = True
            left -= needed
    for rows in members:  # large units may fit in no stratum
        missing = total - int(chosen.sum())
        if not chosen[rows[0]] and len(rows) <= missing:
            chosen[rows] = True
    return chosen


def make_folds(group: np.ndarray, units: np.ndarray, num_folds: int, seed: int) -> np.ndarray:
    """Deal images to folds of about equal size, every group in proportion; units stay together.

    Args:
        group: (N,) stratum of each image.
        units: (N,) number of each image's unit.
        num_folds: K.
        seed: of the random order.

    Returns:
        (N,) the fold of each image.
    """
    strata = np.unique(group, return_inverse=True)[1]
    load = np.zeros((num_folds, int(strata.max(initial=0)) + 1))  # images of each stratum in each fold
    folds = np.empty(len(group), dtype=np.int64)
    for rows in sorted(_members(units, seed), key=len, reverse=True):  # large units first, small ones even out
        needed = np.bincount(strata[rows], minlength=load.shape[1])
        order = np.lexsort((load.sum(axis=1), load @ needed))
        folds[rows] = order[0]
        load[order[0]] += needed
    return folds


def _members(units: np.ndarray, seed: int) -> list[np.ndarray]:
    """Return the rows of each unit, in random order."""
    _, unit = np.unique(units, return_inverse=True)
    members = np.split(np.argsort(unit, kind="stable"), np.cumsum(np.bincount(unit))[:-1])
    return [members[index] for index in np.random.default_rng(seed).permutation(len(members))]
