"""Files that show the same photograph: its crops, and copies of it in other folders.

Popular copies of UTKFace contain up to three crops of a photograph. These are not near duplicates, but their names have
the same age, gender, race and date. So have copies in several folders, whose base names are equal.
"""

from collections.abc import Sequence

import numpy as np

from agegender.data.duplicates import components
from agegender.data.labelled import BOX_MARK
from agegender.data.sources.base import FaceTable
from agegender.data.sources.utkface import photograph_key


def photographs(table: FaceTable) -> list[np.ndarray]:
    """Return the rows of each photograph that several usable files show, according to their names."""
    rows_of: dict[tuple[int, int, int, str], list[int]] = {}
    for row in np.flatnonzero(table.usable):
        key = photograph_key(table.names[row])
        if key is not None:
            rows_of.setdefault(key, []).append(int(row))
    return [np.array(rows) for rows in rows_of.values() if len(rows) > 1]


def crops(table: FaceTable) -> list[np.ndarray]:
    """Return the rows of each photograph whose files are not all byte-identical copies."""
    return [rows for rows in photographs(table) if len({table.sha256[row] for row in rows}) > 1]


def units(table: FaceTable) -> np.ndarray:
    """Number the units that must stay in one part of a split: near duplicates, and all files of a photograph.

    Returns:
        (N,) the unit of each row; equal to `table.clusters` if no photograph has several files.
    """
    same = photographs(table)
    if not same:
        return table.clusters
    first = np.concatenate([np.repeat(table.clusters[rows[0]], len(rows)) for rows in same])
    second = np.concatenate([table.clusters[rows] for rows in same])
    return components(first, second, int(table.clusters.max()) + 1)[table.clusters].astype(np.int64)


def exclusive_units(table: FaceTable) -> np.ndarray:
    """Number the units of a split: those of `units`, joined where they share a person or several faces of one image.

    Returns:
        (N,) the unit of each row; equal to `units(table)` without labels that name subjects or boxes.
    """
    same = units(table)
    if table.of_set is None:
        return same
    keys = [*_linked(table, table.of_set.subjects), *_linked(table, _images_of_boxes(table))]
    if not keys:
        return same
    first = np.concatenate([np.repeat(same[rows[0]], len(rows)) for rows in keys])
    second = np.concatenate([same[rows] for rows in keys])
    return components(first, second, int(same.max()) + 1)[same].astype(np.int64)


def _images_of_boxes(table: FaceTable) -> list[str]:
    """Return the image of each face that is cut out of one, "" for others."""
    return [name.rpartition(BOX_MARK)[0] for name in table.names]


def _linked(table: FaceTable, keys: Sequence[str]) -> list[np.ndarray]:
    """Return the usable rows of each key, "" aside, that several have."""
    rows_of: dict[str, list[int]] = {}
    for row in np.flatnonzero(table.usable).tolist():
        if keys[row]:
            rows_of.setdefault(keys[row], []).append(row)
    return [np.array(rows) for rows in rows_of.values() if len(rows) > 1]


def count_in_several_parts(table: FaceTable, parts: list[np.ndarray]) -> int:
    """Count the photographs with files in more than one part.

    Args:
        table: all files.
        parts: the rows of each part.
    """
    part = np.full(len(table), -1)
    for index, rows in enumerate(parts):
        part[rows] = index
    return sum(len(set(part[rows]) - {-1}) > 1 for rows in photographs(table))
