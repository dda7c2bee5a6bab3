"""Gaps of accuracy between races and genders, raw and within age groups.

Ages are unlike between races (26 % of UTKFace's White test faces are 54 or older, 3 % of the Others), and accuracy is
unlike between ages, so that a raw difference of races may be one of ages. Within age groups it is not.

Letters: S seeds, N images, G age groups.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from agegender.labels import GENDERS, RACES
from agegender.records.predictions import Predictions
from agegender.report.statistics.crossed import Mean, crossed_estimate
from agegender.report.statistics.significance import LEVEL


@dataclass(frozen=True)
class Gap:
    """How much more often the networks are right on some images than on others.

    Attributes:
        name: a race, compared with all others, or `female`, compared with `male`.
        num_images, num_others: of the label, and of the others.
        raw: difference of the two shares, whatever their ages.
        within: the same inside age groups; NaN where no age group holds both.
    """

    name: str
    num_images: int
    num_others: int
    raw: Mean
    within: Mean

    def is_shown(self, level: float) -> bool:
        """Whether the interval within age groups at a level leaves 0 out."""
        low, high = self.within.interval(level)
        return low > 0 or high < 0


def simultaneous_level(found: Mapping[str, Sequence[Gap]]) -> float:
    """Return the level of each gap at which all those of a configuration, by task, hold at once; Bonferroni."""
    return LEVEL / max(sum(not np.isnan(gap.within.value) for of_task in found.values() for gap in of_task), 1)


def gaps(runs: Sequence[Predictions], task: str) -> list[Gap]:
    """Compare each race with all others, and female with male faces.

    Args:
        runs: of one configuration, on the same images.
        task: `age` or `gender`.

    Returns:
        Races that have an image and others to be compared with, then the genders. Images without a race are in no
        comparison of races.
    """
    labels = runs[0]
    hits = np.stack([run.hits(task) for run in runs])
    comparisons = {race: (labels.race == at, labels.race >= 0) for at, race in enumerate(RACES)}
    female = labels.gender == GENDERS.index("female")
    comparisons["female"] = female, np.ones(len(labels), dtype=bool)
    found = []
    for name, (inside, among) in comparisons.items():
        others = among & ~inside
        if inside.any() and others.any():
            raw = stratified_difference(hits, inside, others, np.zeros_like(labels.group))
            within = stratified_difference(hits, inside, others, labels.group)
            found.append(Gap(name, int(inside.sum()), int(others.sum()), raw, within))
    return found


def stratified_difference(hits: np.ndarray, inside: np.ndarray, others: np.ndarray, strata: np.ndarray) -> Mean:
    """Return the Mantel-Haenszel difference of two shares: that of each stratum, weighted; Greenland & Robins 1985.

    The weight of a stratum with n and m images is n m / (n + m). Its value is taken per seed, whose variance is that of
    seeds; the variance over images is that of each stratum's images, after averaging over seeds, added up. Where the
    images of one side are all alike, or a single one, that of all images of the stratum stands for theirs.

    Args:
        hits: (S, N), 1 where a network is right.
        inside: bool (N,), the images of the first share.
        others: bool (N,), those of the second.
        strata: int (N,), from 0 on.

    Returns:
        First minus second; NaN where no stratum holds both.
    """
    number = int(strata.max()) + 1
    cells = [_cells(hits, strata, mask, number) for mask in (inside, others)]
    sizes = np.stack([size for size, _, _ in cells])  # (2, G)
    both = np.flatnonzero((sizes > 0).all(axis=0))
    if not len(both):
        return Mean(np.nan, np.nan, np.inf, 0, np.inf)
    whole_size, _, whole_variance = _cells(hits, strata, inside | others, number)
    weights = sizes[:, both].prod(axis=0) / sizes[:, both].sum(axis=0)
    weights /= weights.sum()
    of_seeds = (cells[0][1] - cells[1][1])[:, both] @ weights
    parts = []
    for size, _, variance in cells:
        alike = variance == 0
        spread = np.where(alike, whole_variance, variance)[both]
        degrees = np.where(alike, whole_size, size)[both] - 1.0
        parts += zip(weights**2 * spread / size[both], degrees, strict=True)
    return crossed_estimate(of_seeds, parts, int(sizes[:, both].sum()))


def _cells(
    hits: np.ndarray, strata: np.ndarray, mask: np.ndarray, number: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return size (G,), share of each seed (S, G) and variance over images (G,) of each stratum within a mask."""
    inside, strata = hits[:, mask].astype(np.float64), strata[mask]
    size = np.bincount(strata, minlength=number)
    shares = np.stack([np.bincount(strata, weights=seed, minlength=number) for seed in inside]) / np.maximum(size, 1)
    away = inside.mean(axis=0) - shares.mean(axis=0)[strata]
    squares = np.bincount(strata, weights=away**2, minlength=number)
    return size, shares, squares / np.maximum(size - 1, 1)
