"""Which files show one photograph: its other crops, and copies of it in other folders.

Popular copies of UTKFace hold a photograph in up to three crops. They are no near duplicates, but their names say the
same age, gender, race and date. Equal base names are such names too.
"""

import numpy as np

from agegender.data.duplicates import components
from agegender.data.sources.base import FaceTable
from agegender.data.sources.utkface import photograph


def photographs(table: FaceTable) -> list[np.ndarray]:
    """Return the rows of each photograph that several usable files show, by their names."""
    rows_of: dict[tuple[int, int, int, str], list[int]] = {}
    for row in np.flatnonzero(table.usable):
        identity = photograph(table.names[row])
        if identity is not None:
            rows_of.setdefault(identity, []).append(int(row))
    return [np.array(rows) for rows in rows_of.values() if len(rows) > 1]


def crops(table: FaceTable) -> list[np.ndarray]:
    """Return the rows of each photograph whose files differ: not byte-identical copies alone."""
    return [rows for rows in photographs(table) if len({table.sha256[row] for row in rows}) > 1]


def units(table: FaceTable) -> np.ndarray:
    """Number what must stay in one part of a split: near duplicates, and the files of one photograph.

    Returns:
        (N,) the unit of each row; where no photograph has several files, the numbers of `table.clusters`.
    """
    same = photographs(table)
    if not same:
        return table.clusters
    first = np.concatenate([np.repeat(table.clusters[rows[0]], len(rows)) for rows in same])
    second = np.concatenate([table.clusters[rows] for rows in same])
    return components(first, second, int(table.clusters.max()) + 1)[table.clusters].astype(np.int64)


def count_in_several_parts(table: FaceTable, parts: list[np.ndarray]) -> int:
    """Count the photographs that stand in more than one part.

    Args:
        table: all files.
        parts: the rows of each part.
    """
    part = np.full(len(table), -1)
    for index, rows in enumerate(parts):
        part[rows] = index
    return sum(len(set(part[rows]) - {-1}) > 1 for rows in photographs(table))
