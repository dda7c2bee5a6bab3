"""Copies of the same image: byte-identical files, near duplicates, and conflicts between their labels.

UTKFace contains hundreds of them, many with conflicting labels; a random split puts some both in training and in test.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from agegender.data.sources.base import FaceTable

MAX_DISTANCE = 20  # bits of 256: images that differ in no more are near duplicates
_MIN_GROUPS = 7  # see _keys: 3 x 7 > 20; and a quarter of one in 7 of the 256 bits, at most 10, fits in 16
_BLOCK = 1 << 18  # pairs that are compared at a time: about 60 bytes each


def near_pairs(hashes: np.ndarray, max_distance: int = MAX_DISTANCE) -> np.ndarray:
    """Find all pairs of hashes that differ in at most `max_distance` bits.

    Args:
        hashes: uint8 (N, 32), packed bits.
        max_distance: bits.

    Returns:
        (P, 2) row numbers, the smaller first.
    """
    hashes = np.ascontiguousarray(hashes)
    rows = np.arange(len(hashes))
    pairs = np.empty(0, dtype=np.int64)  # first row x N + second row
    for key in _keys(hashes, max_distance):
        found = (first * len(rows) + second for first, second in _near(hashes, key, rows, max_distance))
        pairs = np.unique(np.concatenate([pairs, *found]))  # several keys find the same pair
    return np.stack(np.divmod(pairs, max(len(rows), 1)), axis=1)


def clusters(hashes: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Number the sets of images that are connected as near duplicates.

    Args:
        hashes: uint8 (N, 32).
        usable: bool (N,); a row without an image is a set by itself.

    Returns:
        (N,) the set of each row: 0, 1, 2, ... by first appearance.
    """
    rows = np.flatnonzero(usable)
    whole = np.ascontiguousarray(hashes[rows]).view(f"V{hashes.shape[1]}")[:, 0]  # each hash as one value
    unique, copy_of = np.unique(whole, return_inverse=True)  # equal hashes need no comparison
    unique = unique.view(np.uint8).reshape(-1, hashes.shape[1])
    sets = np.arange(len(unique))  # joined key by key; pairs within a set are not compared again
    for key in _keys(unique, MAX_DISTANCE):
        for first, second in _near(unique, key, sets, MAX_DISTANCE):
            sets = components(sets[first], sets[second], len(unique))[sets]
    labels = components(rows, len(usable) + sets[copy_of], len(usable) + len(unique))  # links each row to its set
    return labels[: len(usable)].astype(np.int64)


def components(first: np.ndarray, second: np.ndarray, num_nodes: int) -> np.ndarray:
    """Return the connected component of each node, (num_nodes,), by first appearance; first[i] links to second[i]."""
    links = coo_array((np.ones(len(first), dtype=bool), (first, second)), shape=(num_nodes, num_nodes))
    return connected_components(links, directed=False)[1]


def _keys(hashes: np.ndarray, max_distance: int) -> Iterator[np.ndarray]:
    """Yield keys, each (N,) numbers below 2**32, of which near hashes have at least one in common.

    By the pigeonhole principle: if the bits are in more than max_distance / 3 groups, near hashes differ in at most 2
    bits of some group, so at least two of its quarters are equal. A key is a pair of quarters of a group: 6 keys per
    group, 42 for 20 bits.
    """
    num_groups = max(_MIN_GROUPS, max_distance // 3 + 1)
    bits = np.unpackbits(hashes, axis=1)
    quarters = np.zeros((4 * num_groups, len(hashes), 2), dtype=np.uint8)
    for number, quarter in enumerate(quarters):
        packed = np.packbits(bits[:, number :: len(quarters)], axis=1)  # interleaved, as neighbouring bits correlate
        quarter[:, : packed.shape[1]] = packed
    grouped = quarters.view(np.uint16)[:, :, 0].astype(np.uint64)
    for group in range(num_groups):
        for one, other in combinations(grouped[group::num_groups], 2):
            yield one << np.uint64(16) | other


def _near(
    hashes: np.ndarray, key: np.ndarray, sets: np.ndarray, max_distance: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield, in blocks, pairs of near rows that have the key in common but not the set, the smaller set first."""
    key_and_set = key << np.uint64(32) | sets.astype(np.uint64)
    order = np.argsort(key_and_set)
    for first, second in _candidates(_run_ends(key_and_set[order]), _run_ends(key[order])):
        first = order[first]
        second = order[second]
        distance = np.zeros(len(first), dtype=np.uint16)
        for word in hashes.view(np.uint64).T:  # 4 of (N,)
            distance += np.bitwise_count(word[first] ^ word[second])
            near = distance <= max_distance  # pairs that the first words rule out are not compared further
            first = first[near]
            second = second[near]
            distance = distance[near]
        yield first, second


def _run_ends(ordered: np.ndarray) -> np.ndarray:
    """Return, for each of N sorted numbers, the end of the run of equal numbers that it belongs to."""
    ends = np.flatnonzero(np.diff(ordered, append=~ordered[-1:])) + 1
    return np.repeat(ends, np.diff(ends, prepend=0))


def _candidates(starts: np.ndarray, stops: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield, in blocks, the pairs of each number i with starts[i], ..., stops[i] - 1."""
    counts = stops - starts
    cuts = np.searchsorted(np.cumsum(counts), np.arange(0, counts.sum(), _BLOCK), side="right")
    for start, stop in pairwise([*cuts, len(counts)]):
        block = counts[start:stop]
        first = np.repeat(np.arange(start, stop), block)
        shift = starts[start:stop] - (np.cumsum(block) - block)
        yield first, np.arange(len(first)) + np.repeat(shift, block)


@dataclass(frozen=True)
class Duplicates:
    """Byte-identical files of a table.

    Attributes:
        groups: rows of each set of two or more identical files.
        conflicting: for each set, whether its files disagree on age or gender.
    """

    groups: tuple[np.ndarray, ...]
    conflicting: np.ndarray

    def redundant(self, num_rows: int) -> np.ndarray:
        """Return bool (N,), true for all files but the first of a set without conflict, of which one copy is enough."""
        mask = np.zeros(num_rows, dtype=bool)
        for rows, conflicts in zip(self.groups, self.conflicting, strict=True):
            mask[rows[1:]] |= not conflicts
        return mask

    def contradictory(self, num_rows: int) -> np.ndarray:
        """Return bool (N,), true for all files of a set with a conflict, as it is unknown which label is right."""
        mask = np.zeros(num_rows, dtype=bool)
        for rows, conflicts in zip(self.groups, self.conflicting, strict=True):
            mask[rows] |= conflicts
        return mask


def exact_duplicates(table: FaceTable) -> Duplicates:
    """Group the usable files of a table that are identical byte for byte."""
    rows_of: dict[str, list[int]] = {}
    for row in np.flatnonzero(table.usable):
        rows_of.setdefault(table.sha256[row], []).append(int(row))
    groups = tuple(np.array(rows) for rows in rows_of.values() if len(rows) > 1)
    conflicting = np.array([_disagree(table, rows) for rows in groups], dtype=bool)
    return Duplicates(groups, conflicting)


def _disagree(table: FaceTable, rows: np.ndarray) -> bool:
    spans = zip(table.ages[rows].tolist(), table.last_ages[rows].tolist(), strict=True)
    ages = {span for span in spans if span[0] >= 0}
    genders = {gender for gender in table.genders[rows].tolist() if gender >= 0}
    return len(ages) > 1 or len(genders) > 1
