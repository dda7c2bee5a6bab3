"""Equalized odds of the gender task: equal recall of each gender for every race; Hardt et al. 2016."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from agegender.labels import GENDERS, RACES
from agegender.records.predictions import Predictions
from agegender.report.sections.fairness.gaps import stratified_difference
from agegender.report.statistics.crossed import Mean, crossed_mean
from agegender.report.statistics.significance import holm


@dataclass(frozen=True)
class Recall:
    """Recall of the faces of one gender and race: how often their gender is predicted right.

    Attributes:
        num_images: number of faces.
        mean: recall, over images and seeds.
    """

    gender: str
    race: str
    num_images: int
    mean: Mean


@dataclass(frozen=True)
class RecallGap:
    """Two races, and the difference of their recalls of the faces of one gender.

    Attributes:
        higher, lower: races.
        value: difference of their recalls, in [0, 1], mean over seeds.
        p_value: of equal recalls, two-sided, adjusted by Holm for all pairs of races and both genders.
    """

    gender: str
    higher: str
    lower: str
    value: float
    p_value: float


def recalls(runs: Sequence[Predictions]) -> list[Recall]:
    """Measure the recall of each gender and race with at least one image."""
    hits = np.stack([run.hits("gender") for run in runs])
    found = []
    for gender, race, inside in _parts(runs[0]):
        found.append(Recall(gender, race, int(inside.sum()), crossed_mean(hits[:, inside])))
    return found


def recall_gaps(runs: Sequence[Predictions]) -> list[RecallGap]:
    """Compare all pairs of races, for the faces of each gender; the largest gap first.

    Both races have the same networks, so the gap is taken per seed. A hit and a miss are added to both sides of the
    test (Agresti & Caffo 2000): recalls are near 1, and a few images without a mistake have an estimated variance of 0.
    """
    hits = np.stack([run.hits("gender") for run in runs])
    found = []
    p_values = []
    for one, other in combinations(_parts(runs[0]), 2):
        if one[0] != other[0]:
            continue
        sides = [hits[:, inside].astype(np.float64) for _, _, inside in (one, other)]
        difference = float(sides[0].mean() - sides[1].mean())
        higher, lower = (one[1], other[1]) if difference >= 0 else (other[1], one[1])
        found.append((one[0], higher, lower, abs(difference)))
        p_values.append(_smoothed_difference(*sides).p_value())
    adjusted = holm(p_values)
    gaps = [
        RecallGap(gender, higher, lower, value, float(p_value))
        for (gender, higher, lower, value), p_value in zip(found, adjusted, strict=True)
    ]
    return sorted(gaps, key=lambda gap: -gap.value)


def _parts(labels: Predictions) -> list[tuple[str, str, np.ndarray]]:
    """Return a mask of the images of each gender and race that has any: bool (N,)."""
    found = []
    for g, gender in enumerate(GENDERS):
        for r, race in enumerate(RACES):
            inside = (labels.gender == g) & (labels.race == r)
            if inside.any():
                found.append((gender, race, inside))
    return found


def _smoothed_difference(first: np.ndarray, second: np.ndarray) -> Mean:
    """Return the difference of the shares of hits, (S, n) and (S, m), with a hit and a miss added to each."""
    sides = [np.pad(side, ((0, 0), (1, 1)), constant_values=((0, 0), (0, 1))) for side in (first, second)]
    hits = np.concatenate(sides, axis=1)
    inside = np.arange(hits.shape[1]) < sides[0].shape[1]
    return stratified_difference(hits, inside, ~inside, np.zeros(hits.shape[1], dtype=np.int64))
