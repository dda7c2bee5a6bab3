"""Gaps of accuracy between races and genders, raw and within age groups.

Races differ in age (26 % of UTKFace's White test faces are 54 or older, 3 % of the Others), and accuracy depends on
age, so a raw difference between races may be a difference between ages. Within age groups it is not.

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
    """Difference of the accuracies on two sets of images.

    Attributes:
        name: a race, compared with all other races, or `female`, compared with `male`.
        num_images, num_others: images with this label, and the images they are compared with.
        raw: difference of the two accuracies, regardless of age.
        within: the same within age groups; NaN where no age group has images of both.
    """

    name: str
    num_images: int
    num_others: int
    raw: Mean
    within: Mean

    def is_shown(self, level: float) -> bool:
        """Whether the interval of `within` at a level excludes 0."""
        low, high = self.within.interval(level)
        return low > 0 or high < 0


def simultaneous_level(found: Mapping[str, Sequence[Gap]]) -> float:
    """Return the level of each interval at which those of all gaps hold at once, of both tasks; Bonferroni."""
    return LEVEL / max(sum(not np.isnan(gap.within.value) for of_task in found.values() for gap in of_task), 1)


def gaps(runs: Sequence[Predictions], task: str) -> list[Gap]:
    """Compare each race with all others, and female with male faces.

    Args:
        runs: of one configuration, on the same images.
        task: `age` or `gender`.

    Returns:
        Gaps of the races that have images and images to compare with, then of the genders. Images without a race are in
        no comparison of races.
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
    """Return the Mantel-Haenszel difference of two shares, a weighted mean over strata; Greenland & Robins 1985.

    The weight of a stratum with n and m images is n m / (n + m). The difference is taken per seed, which gives the
    variance over seeds; the variance over images is the sum of those of the strata, after averaging over seeds. Where
    one side of a stratum has a variance of 0, or a single image, the variance of all images of the stratum is used.

    Args:
        hits: (S, N), 1 where the prediction is right.
        inside: bool (N,), the images of the first share.
        others: bool (N,), the images of the second share.
        strata: int (N,), stratum of each image, from 0 on.

    Returns:
        First minus second share; NaN where no stratum has images of both.
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
        constant = variance == 0
        spread = np.where(constant, whole_variance, variance)[both]
        degrees = np.where(constant, whole_size, size)[both] - 1.0
        parts += zip(weights**2 * spread / size[both], degrees, strict=True)
    return crossed_estimate(of_seeds, parts, int(sizes[:, both].sum()))


def _cells(
    hits: np.ndarray, strata: np.ndarray, mask: np.ndarray, number: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return size (G,), share of hits per seed (S, G) and variance over images (G,) of the masked images by stratum."""
    inside = hits[:, mask].astype(np.float64)
    strata = strata[mask]
    size = np.bincount(strata, minlength=number)
    shares = np.stack([np.bincount(strata, weights=seed, minlength=number) for seed in inside]) / np.maximum(size, 1)
    away = inside.mean(axis=0) - shares.mean(axis=0)[strata]
    squares = np.bincount(strata, weights=away**2, minlength=number)
    return size, shares, squares / np.maximum(size - 1, 1)
