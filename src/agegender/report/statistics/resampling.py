"""Resampled scores: a hierarchical bootstrap over test images and seeds, or over repeated splits.

Images are drawn with replacement, with the same draws for all configurations, so that differences are paired. The
effect of other seeds is drawn from Student's t with the standard error of the mean over a configuration's own seeds:
three seeds can be drawn with replacement in only ten ways, which would make intervals too narrow. Over several splits
the variance is corrected as by Nadeau & Bengio (2003).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from agegender.report.results import Configuration
from agegender.report.statistics.design import Design
from agegender.report.statistics.scores import SCORES, draws, scores
from agegender.report.statistics.significance import LEVEL

_SEED = 0  # of the draws, fixed so that a report is reproducible


@dataclass(frozen=True)
class Draws:
    """The scores of one configuration; S runs, J splits, D draws.

    Attributes:
        values: by key of `SCORES`, (S,) of each run.
        by_split: by key, (J,) means over the seeds of each split.
        means: by key, the mean over the splits' means.
        draws: by key, (D,) resampled means; None where its runs were tested on several test parts and it is not
            compared.
        of_images: the same with only the images resampled, not the seeds; None over several splits.
    """

    values: dict[str, np.ndarray]
    by_split: dict[str, np.ndarray]
    means: dict[str, float]
    draws: dict[str, np.ndarray] | None
    of_images: dict[str, np.ndarray] | None

    def seed_variance(self, key: str) -> float:
        """Return the variance of the mean over seeds; 0 for a single seed, whose network is taken as given."""
        values = self.values[key]
        return float(values.var(ddof=1)) / len(values) if len(values) > 1 else 0.0


def draw_scores(configurations: Iterable[Configuration], design: Design, num_draws: int) -> dict[str, Draws]:
    """Compute and resample the scores of every configuration with predictions, by label."""
    on_images = _ImageDraws(num_draws)
    on_splits = _SplitDraws(design, num_draws)
    found = {}
    for number, configuration in enumerate(configurations):
        if not configuration.measured:
            continue
        values, by_split = _scores_of(configuration, design)
        means = {key: float(by_split[key].mean()) for key in SCORES}
        drawn = of_images = None
        if len(by_split["age_accuracy"]) == 1:
            drawn, of_images = on_images.of(configuration, values, number)
        elif configuration in design.compared:
            drawn = on_splits.of(by_split)
        found[configuration.label] = Draws(values, by_split, means, drawn, of_images)
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
        """Return draws over images and seeds, and draws over images alone; `number` is that of the configuration."""
        runs = [run.tested for run in configuration.measured]
        if self._counts.shape[1] != len(runs[0]):
            self._counts = draws(len(runs[0]), self._num_draws, _SEED)
        of_runs = [scores(run, self._counts) for run in runs]
        of_images = {key: np.mean([one[key] for one in of_runs], axis=0) for key in SCORES}
        if len(runs) == 1:
            return of_images, of_images
        errors = {key: values[key].std(ddof=1) / np.sqrt(len(runs)) for key in SCORES}
        student = np.random.default_rng([_SEED, number]).standard_t(len(runs) - 1, size=self._num_draws)
        return {key: of_images[key] + errors[key] * student for key in SCORES}, of_images


class _SplitDraws:
    """Draws of other splits, with the variance of Nadeau & Bengio and J - 1 degrees of freedom."""

    def __init__(self, design: Design, num_draws: int) -> None:
        splits = design.num_splits
        if splits < 2:
            return
        random = np.random.default_rng([_SEED, 1])
        normal = random.standard_normal((num_draws, splits))
        student = normal / np.sqrt(random.chisquare(splits - 1, size=(num_draws, 1)) / (splits - 1))
        self._weights = np.sqrt((1 / splits + design.test_to_train) / (splits - 1)) * student  # (D, J)

    def of(self, by_split: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {key: values.mean() + self._weights @ (values - values.mean()) for key, values in by_split.items()}


def half_widths(drawn: Sequence[Draws], key: str, design: Design) -> np.ndarray:
    """Return half the width of the interval of each difference, simultaneous over all compared pairs: (K, K).

    Student's quantile at 5 % divided by the number of pairs (Bonferroni), with each pair's own error and degrees of
    freedom. Holm's tests reject whatever such an interval excludes. With a bound common to all pairs (max-T), the pair
    whose seeds vary most would widen the intervals of all others.
    """
    if len(drawn) < 2:
        return np.zeros((len(drawn), len(drawn)))
    if design.num_splits > 1:
        values = np.stack([one.by_split[key] for one in drawn])  # (K, J)
        total = (1 / design.num_splits + design.test_to_train) * _of_differences(values)
        degrees = np.full(total.shape, design.num_splits - 1.0)
    else:
        of_seeds = np.array([one.seed_variance(key) for one in drawn])
        total = _of_differences(np.stack([one.of_images[key] for one in drawn if one.of_images is not None]))
        total = total + of_seeds[:, None] + of_seeds[None, :]
        squares = np.array([one.seed_variance(key) ** 2 / max(len(one.values[key]) - 1, 1) for one in drawn])
        below = squares[:, None] + squares[None, :]
        degrees = np.divide(total**2, below, out=np.full(total.shape, np.inf), where=below > 0)
    return stats.t.isf(LEVEL / 2 / design.num_pairs, degrees) * np.sqrt(total)


def _of_differences(values: np.ndarray) -> np.ndarray:
    """Return the variance of the difference of every two rows, (K, K); NaN values are ignored."""
    defined = ~np.isnan(values)
    sums = np.where(defined, values, 0).sum(axis=1, keepdims=True)
    centred = np.where(defined, values - sums / np.maximum(defined.sum(axis=1, keepdims=True), 1), 0)
    products = centred @ centred.T / max(values.shape[1] - 1, 1)
    spread = products.diagonal()
    return np.maximum(spread[:, None] + spread[None, :] - 2 * products, 0)
