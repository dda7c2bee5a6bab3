"""Copies of the same picture: byte-identical files, near duplicates, and what they say against each other.

UTKFace holds hundreds of them, many with conflicting labels; a random split puts some in training and test at once.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from agegender.data.faces import FaceTable

MAX_DISTANCE = 20  # bits of 256: pictures that differ by no more are near duplicates
_BLOCK = 2048  # rows compared at once: 2048 x 23,707 x 8 bytes = 390 MB at the peak, and vectors long enough


def near_pairs(hashes: np.ndarray, max_distance: int = MAX_DISTANCE) -> np.ndarray:
    """Find all pairs of hashes that differ in at most `max_distance` bits.

    Args:
        hashes: uint8 (N, 32), packed bits.
        max_distance: bits.

    Returns:
        (P, 2) row numbers, the smaller first.
    """
    words = np.ascontiguousarray(hashes).view(np.uint64)  # (N, 4)
    found = [np.empty((0, 2), dtype=np.int64)]
    for start in range(0, len(words), _BLOCK):
        block = words[start : start + _BLOCK]
        distance = np.zeros((len(block), len(words) - start), dtype=np.uint16)
        for word in range(words.shape[1]):
            distance += np.bitwise_count(block[:, None, word] ^ words[None, start:, word])
        first, second = np.nonzero(distance <= max_distance)
        later = second > first
        found.append(np.stack([first[later], second[later]], axis=1) + start)
    return np.concatenate(found)


def clusters(hashes: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Number the sets of pictures that are connected by near duplicates.

    Args:
        hashes: uint8 (N, 32).
        usable: (N,) rows without a picture keep a set of their own.

    Returns:
        (N,) the set of each row, 0, 1, 2, ... by first appearance.
    """
    rows = np.flatnonzero(usable)
    pairs = rows[near_pairs(hashes[rows])]
    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(usable), len(usable)))
    _, labels = connected_components(links, directed=False)
    return labels.astype(np.int64)


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
        """(N,) True for every file but the first of a set that agrees: one copy is kept."""
        mask = np.zeros(num_rows, dtype=bool)
        for rows, conflicts in zip(self.groups, self.conflicting, strict=True):
            mask[rows[1:]] |= not conflicts
        return mask

    def contradictory(self, num_rows: int) -> np.ndarray:
        """(N,) True for every file of a set that disagrees: nobody knows which label is right."""
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
    return len(set(zip(table.ages[rows], table.genders[rows], strict=True))) > 1
