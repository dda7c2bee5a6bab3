"""Error of the predicted years by true age."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agegender.records.predictions import Predictions
from agegender.report.statistics.crossed import Mean, crossed_mean

LEAST_FACES = 30  # of a row: with fewer, Student's interval of errors, which are skew, covers less than it says


@dataclass(frozen=True)
class AgeError:
    """Error on the faces of one year of age, or of several that follow each other where one alone has too few.

    Attributes:
        first, last: true years.
        age: mean true age of the faces, in years.
        num_images: how many.
        absolute: mean absolute error, in years.
        bias: mean of predicted minus true, in years; above 0 where faces are taken for older.
    """

    first: int
    last: int
    age: float
    num_images: int
    absolute: Mean
    bias: Mean

    @property
    def name(self) -> str:
        """The year, or the first and last."""
        return f"{self.first}" if self.first == self.last else f"{self.first}-{self.last}"


def age_errors(runs: Sequence[Predictions], least: int = LEAST_FACES) -> list[AgeError]:
    """Measure single years where they have enough faces, else years together until there are; youngest first.

    Args:
        runs: of one configuration, on the same images.
        least: faces of a row; all have as many, unless there are fewer in all.
    """
    years = runs[0].years
    errors = np.stack([run.years_predicted - run.years for run in runs])  # (S, N)
    found = []
    for first, last in _bins(years, least):
        inside = (years >= first) & (years <= last)
        means = crossed_mean(np.abs(errors[:, inside])), crossed_mean(errors[:, inside])
        found.append(AgeError(first, last, float(years[inside].mean()), int(inside.sum()), *means))
    return found


def _bins(years: np.ndarray, least: int) -> list[tuple[int, int]]:
    """Return first and last year of each row; what is left at the end joins the row before it."""
    bins: list[tuple[int, int]] = []
    begin, faces = None, 0
    for year, number in zip(*np.unique(years, return_counts=True), strict=True):
        begin = int(year) if begin is None else begin
        faces += int(number)
        if faces >= least:
            bins.append((begin, int(year)))
            begin, faces = None, 0
    if begin is not None:
        oldest = int(years.max())
        bins[-1:] = [(bins[-1][0] if bins else begin, oldest)]
    return bins
