"""Error of the predicted years by true age: absolute error and bias."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agegender.records.predictions import Predictions
from agegender.report.statistics.crossed import Mean, crossed_mean

MIN_FACES = 30  # of a row: errors are skewed, so that with fewer Student's interval covers less than 95 %


@dataclass(frozen=True)
class AgeError:
    """Error on the faces of one year of age, or of consecutive years where a single one has too few faces.

    Attributes:
        first, last: true years.
        age: mean true age of the faces, in years.
        num_images: number of faces.
        absolute: mean absolute error, in years.
        bias: mean of predicted minus true age, in years; above 0 where faces are predicted too old.
    """

    first: int
    last: int
    age: float
    num_images: int
    absolute: Mean
    bias: Mean

    @property
    def name(self) -> str:
        """The year, or the first and the last year."""
        return f"{self.first}" if self.first == self.last else f"{self.first}-{self.last}"


def age_errors(runs: Sequence[Predictions], least: int = MIN_FACES) -> list[AgeError]:
    """Measure the error of each year; consecutive years are pooled until they have enough faces. Youngest first.

    Empty if no exact age is known.

    Args:
        runs: of one configuration, on the same images.
        least: faces that a row has at least, unless the test part has fewer.
    """
    exact = ~np.isnan(runs[0].years)
    if not exact.all():
        runs = [run.rows(exact) for run in runs]
    if not exact.any():
        return []
    years = runs[0].years
    errors = np.stack([run.years_predicted - run.years for run in runs])  # (S, N)
    found = []
    for first, last in _bins(years, least):
        inside = (years >= first) & (years <= last)
        means = crossed_mean(np.abs(errors[:, inside])), crossed_mean(errors[:, inside])
        found.append(AgeError(first, last, float(years[inside].mean()), int(inside.sum()), *means))
    return found


def _bins(years: np.ndarray, least: int) -> list[tuple[int, int]]:
    """Return first and last year of each row; years left over at the end join the last row."""
    bins: list[tuple[int, int]] = []
    begin = None
    faces = 0
    for year, number in zip(*np.unique(years, return_counts=True), strict=True):
        begin = int(year) if begin is None else begin
        faces += int(number)
        if faces >= least:
            bins.append((begin, int(year)))
            begin = None
            faces = 0
    if begin is not None:
        oldest = int(years.max())
        bins[-1:] = [(bins[-1][0] if bins else begin, oldest)]
    return bins
