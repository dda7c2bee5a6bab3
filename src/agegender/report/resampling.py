"""Scores drawn anew: a hierarchical bootstrap over test images and seeds, or over repeated splits.

Images are drawn with replacement, the same draws for all configurations, so that differences are paired. What other
seeds would do is drawn from Student's t with the standard error of the mean over a configuration's own seeds: with
three seeds there are only ten ways to draw them with replacement, which would make intervals too narrow. Over several
splits the block means vary together as Nadeau & Bengio (2003) correct them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from agegender.report.design import Design
from agegender.report.runs import Configuration
from agegender.report.scores import SCORES, draws, scores
from agegender.report.significance import LEVEL

_SEED = 0  # of the draws: a report that is made again says the same
_ROUNDING = 1e-12  # of a difference that is the same in all draws


@dataclass(frozen=True)
class Draws:
    """The scores of one configuration; S runs, J splits, D draws.

    Attributes:
        values: by key of `SCORES`, (S,) of each run.
        by_split: by key, (J,) means over the seeds of each split.
        means: by key, the mean over the splits' means.
        draws: by key, (D,) of the mean, with Student's tails for few seeds or splits; None where its runs were tested
            on several test parts that the compared ones do not share.
        normal: the same with normal tails, whose deviation is the standard error.
    """

    values: dict[str, np.ndarray]
    by_split: dict[str, np.ndarray]
    means: dict[str, float]
    draws: dict[str, np.ndarray] | None
    normal: dict[str, np.ndarray] | None


def draw_scores(configurations: Iterable[Configuration], design: Design, num_draws: int) -> dict[str, Draws]:
    """Score every configuration with predictions, and draw its scores anew, by label."""
    on_images, on_splits = _ImageDraws(num_draws), _SplitDraws(design, num_draws)
    found = {}
    for number, configuration in enumerate(configurations):
        if not configuration.measured:
            continue
        values, by_split = _scores_of(configuration, design)
        means = {key: float(by_split[key].mean()) for key in SCORES}
        drawn = normal = None
        if len(by_split["age_accuracy"]) == 1:
            drawn, normal = on_images.of(configuration, values, number)
        elif configuration in design.compared:
            drawn, normal = on_splits.of(by_split)
        found[configuration.label] = Draws(values, by_split, means, drawn, normal)
    return found


def _scores_of(configuration: Configuration, design: Design) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return each score of each run, (S,), and its mean on each split, (J,), in the design's order."""
    of_runs = [scores(run.tested) for run in configuration.measured]
    values = {key: np.concatenate([one[key] for one in of_runs]) for key in SCORES}
    splits = np.array([run.images_id for run in configuration.measured])
    order = design.splits if configuration in design.compared else tuple(dict.fromkeys(splits))
    return values, {key: np.array([values[key][splits == split].mean() for split in order]) for key in SCORES}


class _ImageDraws:
    """Draws of test images, the same for all runs on the same images, and of other seeds."""

    def __init__(self, num_draws: int) -> None:
        self._num_draws = num_draws
        self._counts = np.empty((0, 0), dtype=np.float32)

    def of(
        self, configuration: Configuration, values: dict[str, np.ndarray], number: int
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return the draws with Student's and with normal tails; `number` tells configurations apart."""
        runs = [run.tested for run in configuration.measured]
        if self._counts.shape[1] != len(runs[0]):
            self._counts = draws(len(runs[0]), self._num_draws, _SEED)
        of_runs = [scores(run, self._counts) for run in runs]
        of_images = {key: np.mean([one[key] for one in of_runs], axis=0) for key in SCORES}
        if len(runs) == 1:
            return of_images, of_images
        errors = {key: values[key].std(ddof=1) / np.sqrt(len(runs)) for key in SCORES}
        random = np.random.default_rng([_SEED, number])
        normal = random.standard_normal(self._num_draws)
        student = normal / _root_chi_square(random, len(runs) - 1, self._num_draws)
        return (
            {key: of_images[key] + errors[key] * student for key in SCORES},
            {key: of_images[key] + errors[key] * normal for key in SCORES},
        )


class _SplitDraws:
    """Draws of other splits: the same weights of the splits for all configurations.

    Of each difference the draws have the corrected variance and J - 1 degrees of freedom.
    """

    def __init__(self, design: Design, num_draws: int) -> None:
        splits = design.num_splits
        if splits < 2:
            return
        random = np.random.default_rng([_SEED, 1])
        scale = np.sqrt((1 / splits + design.test_to_train) / (splits - 1))
        self._normal = scale * random.standard_normal((num_draws, splits))
        self._student = self._normal / _root_chi_square(random, splits - 1, num_draws)[:, None]

    def of(self, by_split: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return the draws with Student's and with normal tails."""
        means = {key: values.mean() for key, values in by_split.items()}
        deviations = {key: values - means[key] for key, values in by_split.items()}
        return (
            {key: means[key] + self._student @ deviations[key] for key in by_split},
            {key: means[key] + self._normal @ deviations[key] for key in by_split},
        )


def _root_chi_square(random: np.random.Generator, degrees: int, num_draws: int) -> np.ndarray:
    """Draw what a normal draw is divided by to be one of Student's t."""
    return np.sqrt(random.chisquare(degrees, size=num_draws) / degrees)


def half_widths(drawn: Sequence[Draws], key: str) -> np.ndarray:
    """Return half the width of the interval of each difference, simultaneous over all pairs: (K, K).

    Each difference has an error of its own; the largest of their standardized deviations (max-T, Westfall & Young 1993)
    stays below one common bound in 95 % of the draws.
    """
    number = len(drawn)
    if number < 2:
        return np.zeros((number, number))
    student = _centred([one.draws for one in drawn], key)
    normal = _centred([one.normal for one in drawn], key)
    errors, largest = np.zeros((number, number)), np.zeros(student.shape[1])
    for first in range(number - 1):
        error = (normal[first] - normal[first + 1 :]).std(axis=1)
        errors[first, first + 1 :] = errors[first + 1 :, first] = error
        differences = np.abs(student[first] - student[first + 1 :])
        standardized = differences / np.where(error > _ROUNDING, error, np.inf)[:, None]
        largest = np.fmax(largest, np.fmax.reduce(standardized, axis=0))
    return errors * np.quantile(largest, 1 - LEVEL)


def _centred(drawn: Sequence[dict[str, np.ndarray] | None], key: str) -> np.ndarray:
    """Stack the draws of a score around their means, (K, D); a draw without a value says nothing: 0."""
    values = np.stack([one[key] for one in drawn if one is not None])
    defined = ~np.isnan(values)
    sums = np.where(defined, values, 0).sum(axis=1, keepdims=True)
    return np.where(defined, values - sums / np.maximum(defined.sum(axis=1, keepdims=True), 1), 0)
