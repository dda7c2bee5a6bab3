"""Stratified splits with the paper's sizes, leak control, and the manifest that reproduces them elsewhere."""

import csv
import hashlib
import io
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from agegender.data.duplicates import exact_duplicates
from agegender.data.photographs import crops, exclusive_units
from agegender.data.sources.base import FaceTable
from agegender.data.text_table import read_rows
from agegender.labels import AgeGroups
from agegender.system.errors import InputError
from agegender.system.files import write_atomically

PARTS = ("train", "val", "test")
_UNIONS = {"trainval": ("train", "val"), "all": PARTS}
TEST_SHARE = 0.20  # of all; Uraimov & Yoo 2022
VAL_SHARE = 0.15  # of what remains; Uraimov & Yoo 2022


@dataclass(frozen=True)
class Split:
    """Which row of a `FaceTable` belongs to which part.

    Attributes:
        train, val, test: row numbers, ascending.
        dropped: number of usable files left out, by reason.
        joined: numbers of `photographs` with several crops, which are all in one part, and of these `files`; dropped
            crops are not counted.
    """

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray
    dropped: dict[str, int]
    joined: dict[str, int] = field(default_factory=dict)

    def rows(self, part: str) -> np.ndarray:
        """Return the row numbers of `train`, `val` or `test`, of `trainval`, the first two, or of `all`."""
        return np.concatenate([getattr(self, name) for name in _UNIONS.get(part, (part,))])

    def manifest(self, names: tuple[str, ...]) -> str:
        """Return the split as CSV with the columns image and part, sorted by image."""
        lines = sorted((names[row], part) for part in PARTS for row in self.rows(part))
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([("image", "part"), *lines])
        return text.getvalue()


def manifest_hash(manifest: str) -> str:
    """Return the hash of a split: SHA-256 of its manifest, hexadecimal."""
    return hashlib.sha256(manifest.encode(errors="backslashreplace")).hexdigest()


def part_sizes(num_images: int) -> tuple[int, int, int]:
    """Return the sizes of training, validation and test, each rounded to the nearest integer as in the paper."""
    test = _round_half_up(TEST_SHARE * num_images)
    val = _round_half_up(VAL_SHARE * (num_images - test))
    return num_images - test - val, val, test


def _round_half_up(value: float) -> int:
    return math.floor(value + 0.5)


def make_split(table: FaceTable, groups: AgeGroups, *, leak_control: bool, seed: int) -> Split:
    """Split a table at random, stratified by age group.

    Args:
        table: all files.
        groups: the scheme; faces whose age it drops are left out, unless the table is incomplete and has their gender.
        leak_control: keep one of each set of identical files, or none if their labels conflict, and keep near
            duplicates, the crops of a photograph, and the faces of a labelled subject within one part.
        seed: the same table and seed give the same split.

    Raises:
        InputError: too few images are left for three parts.
    """
    group = np.where(table.usable, table.groups(groups), -1)
    keep = table.usable & has_task(table, group)
    dropped = without_task(table, group, keep)
    if leak_control:
        duplicates = exact_duplicates(table)
        contradictory = keep & duplicates.contradictory(len(table))
        redundant = keep & duplicates.redundant(len(table)) & ~contradictory
        dropped |= {"conflicting_duplicates": int(contradictory.sum()), "exact_duplicates": int(redundant.sum())}
        keep &= ~contradictory & ~redundant
    rows = np.flatnonzero(keep)
    if min(part_sizes(len(rows))) < 1:
        raise InputError(f"{len(rows)} usable images are too few for a training, validation and test part; give more")
    together = exclusive_units(table)[rows] if leak_control else np.arange(len(rows))
    part = assign_parts(group[rows], together, seed)
    joined = _count_joined(table, keep) if leak_control else {}
    return Split(*(rows[part == index] for index in range(len(PARTS))), dropped=dropped, joined=joined)


def has_task(table: FaceTable, group: np.ndarray) -> np.ndarray:
    """Return bool (N,), true for faces that can be used, given their groups (N,): in a complete table by an age group.

    Where labels are missing, a face without a group is used for its gender.
    """
    return group >= 0 if table.is_complete else (group >= 0) | (table.genders >= 0)


def without_task(table: FaceTable, group: np.ndarray, keep: np.ndarray) -> dict[str, int]:
    """Count the usable faces that cannot be used for any task, by reason."""
    left_out = table.usable & ~keep
    if table.is_complete:
        return {"age_outside_groups": int(left_out.sum())}
    straddling = left_out & (table.ages != table.last_ages)
    outside = left_out & (table.ages >= 0) & ~straddling
    return {"age_outside_groups": int(outside.sum()), "age_straddles_groups": int(straddling.sum())}


def _count_joined(table: FaceTable, keep: np.ndarray) -> dict[str, int]:
    kept = [rows[keep[rows]] for rows in crops(table)]
    several = [rows for rows in kept if len(rows) > 1]
    return {"photographs": len(several), "files": sum(len(rows) for rows in several)}


def assign_parts(group: np.ndarray, units: np.ndarray, seed: int) -> np.ndarray:
    """Assign images to the parts: exact sizes, every group in proportion, no unit in two parts.

    Units of several images are assigned first, each to a random part that has enough places left; then single images
    fill the remaining places of each group. A unit too large for validation and test goes to training; the sizes are
    exact as long as there are enough single images to balance it.

    Args:
        group: (N,) stratum of each image.
        units: (N,) number of each image's unit; images of a unit stay together.
        seed: of the random order.

    Returns:
        (N,) 0 training, 1 validation, 2 test.
    """
    rng = np.random.default_rng(seed)
    places_left = _quotas(group)  # (strata, 3)
    strata = np.searchsorted(np.unique(group), group)
    part = np.full(len(group), -1)
    _, unit = np.unique(units, return_inverse=True)
    members = np.split(np.argsort(unit, kind="stable"), np.cumsum(np.bincount(unit))[:-1])
    several = [rows for rows in members if len(rows) > 1]
    for index in rng.permutation(len(several)):
        rows = several[index]
        needed = np.bincount(strata[rows], minlength=len(places_left))
        fits = np.all(places_left >= needed[:, None], axis=0)
        if not fits.any():
            fits[0] = True
        chance = np.where(fits, np.maximum(places_left.sum(axis=0), 1), 0)
        chosen = rng.choice(len(PARTS), p=chance / chance.sum())
        part[rows] = chosen
        places_left[:, chosen] -= needed
    for stratum in range(len(places_left)):
        rows = rng.permutation(np.flatnonzero((part < 0) & (strata == stratum)))
        places = np.maximum(places_left[stratum], 0)
        ends = np.minimum(np.cumsum(places[[2, 1]]), len(rows))
        part[rows[: ends[0]]] = 2
        part[rows[ends[0] : ends[1]]] = 1
        part[rows[ends[1] :]] = 0
    _fill_up(part, np.bincount(unit)[unit] == 1, rng)
    return part


def _fill_up(part: np.ndarray, single: np.ndarray, rng: np.random.Generator) -> None:
    """Move single images of any stratum from training to validation and test until these have their sizes."""
    for index, size in enumerate(part_sizes(len(part))):
        missing = size - int((part == index).sum())
        if index > 0 and missing > 0:
            part[rng.permutation(np.flatnonzero((part == 0) & single))[:missing]] = index


def _quotas(group: np.ndarray) -> np.ndarray:
    """Return the places of each part in each stratum, (strata, 3): rows sum to the strata, columns to the parts."""
    counts = np.unique(group, return_counts=True)[1]
    _, val, test = part_sizes(len(group))
    tests = apportion(counts, test)
    vals = apportion(counts - tests, val)
    return np.stack([counts - tests - vals, vals, tests], axis=1)


def apportion(counts: np.ndarray, total: int) -> np.ndarray:
    """Divide `total` places in proportion to `counts`, by the largest remainders (Hamilton's method)."""
    exact = counts * (total / counts.sum())
    places = np.floor(exact).astype(np.int64)
    order = np.argsort(places - exact, kind="stable")
    places[order[: total - places.sum()]] += 1
    return places


def read_split(path: Path, table: FaceTable, groups: AgeGroups) -> Split:
    """Read a manifest back.

    Args:
        path: CSV with the columns image and part.
        table: the data.
        groups: the scheme; a listed face whose age it drops is left out.

    Raises:
        InputError: the file is not a manifest, or names images that the data does not contain.
    """
    part_of = read_manifest(path)
    row_of = {name: row for row, name in enumerate(table.names)}
    missing = [name for name in part_of if name not in row_of]
    if missing:
        raise InputError(
            f"data.split_file={path} names {len(missing):,} of {len(part_of):,} images that data.root does not have, "
            f"{missing[0]!r} first; give the data that the split was made of (and the same data.limit)"
        )
    chosen = {row_of[name]: part for name, part in part_of.items()}
    group = table.groups(groups)
    used = has_task(table, group)
    unusable = [row for row in chosen if table.skipped[row]]
    outside = [row for row in chosen if not table.skipped[row] and not used[row]]
    for row in (*unusable, *outside):
        del chosen[row]
    rows = {
        part: np.array(sorted(row for row, its_part in chosen.items() if its_part == part), dtype=np.int64)
        for part in PARTS
    }
    empty = [part for part in PARTS if not len(rows[part])]
    if empty:
        raise InputError(f"data.split_file={path} leaves no usable image for {empty[0]}; every part needs some")
    unlisted = int(table.usable.sum()) - len(chosen) - len(outside)
    dropped = {"age_outside_groups": len(outside), "not_in_split_file": unlisted}
    return Split(rows["train"], rows["val"], rows["test"], dropped)


def read_manifest(path: Path) -> dict[str, str]:
    """Return the part of each image of a manifest, by the image's name; spreadsheet programs may have written it.

    Raises:
        InputError: the file is not a manifest, or lists an image in two parts.
    """
    try:
        rows = [(row["image"], row["part"].strip()) for row in read_rows(path, ("image", "part"))]
    except OSError as error:
        raise InputError(f"data.split_file={path} cannot be read ({error.strerror}); check the path") from error
    except ValueError as error:
        raise InputError(
            f"data.split_file={path} is not a CSV with the columns image and part ({error}); give a manifest, such as "
            "the split-*.csv of an earlier run"
        ) from error
    wrong = {part for _, part in rows} - set(PARTS)
    if wrong or not rows:
        raise InputError(
            f"data.split_file={path}: the column part must hold train, val or test, not {wrong or 'nothing'}"
        )
    part_of = dict(rows)
    for image, part in rows:
        if part_of[image] != part:
            raise InputError(f"data.split_file={path}: {image} is in {part} and in {part_of[image]}; keep one line")
    return part_of


def save_manifest(folder: Path, manifest: str) -> Path:
    """Write a manifest to a file named by its hash, if it does not exist; jobs of a sweep with one split share it."""
    path = folder / f"split-{manifest_hash(manifest)[:12]}.csv"
    if not path.exists():
        write_atomically(path, manifest, errors="surrogateescape")
    return path
