"""What the tests say of a sweep: scores with intervals, differences, who is best and who is not surely worse."""

from dataclasses import dataclass

import numpy as np

from agegender.report.runs import TASKS, Configuration, Predictions, Sweep
from agegender.report.scores import SCORES, draws, scores
from agegender.report.significance import (
    LEAST_BLOCKS,
    LEVEL,
    Ranks,
    compare_ranks,
    holm,
    mcnemar,
    over_seeds,
    percentile_interval,
)

NUM_DRAWS = 2_000  # of the bootstrap


@dataclass(frozen=True)
class Estimate:
    """A score, or a difference of scores.

    Attributes:
        value: mean over seeds.
        deviation: standard deviation over seeds, with S - 1; None of a single seed.
        interval: 95 %, of the test images; None where runs were not tested on the same images, or of a score without.
    """

    value: float
    deviation: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Pair:
    """Two configurations on the same images.

    Attributes:
        first, second: labels.
        difference: of the task's accuracy, first minus second, with its paired bootstrap interval.
        p_value: McNemar's, over the seeds in which the one with the higher mean is ahead; 1 for equal means.
        adjusted: the same, adjusted by Holm for all pairs.
    """

    first: str
    second: str
    difference: Estimate
    p_value: float
    adjusted: float


@dataclass(frozen=True)
class Analysis:
    """All tests of a sweep.

    Attributes:
        estimates: by label, then by key of `SCORES`; of every configuration with predictions.
        differences: by label, then by key: to the best of that score; the compared ones only.
        compared: labels of the configurations that share their test images.
        num_images: that they share.
        best: by task, the label with the highest accuracy; empty where nothing is compared.
        pairs: by task, all pairs.
        tied: by task, labels that are not significantly worse than the best, itself included.
        ranks: by task, over the seeds that all compared configurations have; None where those are too few.
    """

    estimates: dict[str, dict[str, Estimate]]
    differences: dict[str, dict[str, Estimate]]
    compared: tuple[str, ...]
    num_images: int
    best: dict[str, str]
    pairs: dict[str, list[Pair]]
    tied: dict[str, frozenset[str]]
    ranks: dict[str, Ranks | None]

    def mark(self, task: str, label: str) -> str:
        """Say `best`, or `tied` of who is not significantly worse; nothing where less than two are compared."""
        if len(self.compared) < 2 or label not in self.tied[task]:
            return ""
        return "best" if label == self.best[task] else "tied"


def analyse(sweep: Sweep, num_draws: int = NUM_DRAWS) -> Analysis:
    """Test what can be tested."""
    compared = sweep.comparable
    labels = tuple(configuration.label for configuration in compared)
    estimates: dict[str, dict[str, Estimate]] = {}
    drawn: dict[str, dict[str, np.ndarray]] = {}  # (D,) of each score, means over seeds
    counts = np.empty((0, 0), dtype=np.float32)  # the same draws for all runs on the same images
    for configuration in sweep.configurations:
        if not configuration.measured:
            continue
        num_images = len(_predictions(configuration)[0])
        if counts.shape[1] != num_images:
            counts = draws(num_images, num_draws)
        values, means = _scores_of(configuration, counts)
        estimates[configuration.label] = {
            key: _estimate(values[key], means[key] if means and score.has_interval else None)
            for key, score in SCORES.items()
        }
        if means is not None:
            drawn[configuration.label] = means
    best = {task: max(labels, key=lambda label: _accuracy(estimates, label, task)) for task in TASKS if labels}
    pairs = {task: _pairs(compared, task, estimates, drawn) for task in TASKS}
    return Analysis(
        estimates=estimates,
        differences={label: _to_best(label, labels, estimates, drawn) for label in labels},
        compared=labels,
        num_images=len(_predictions(compared[0])[0]) if compared else 0,
        best=best,
        pairs=pairs,
        tied={task: _tied(best[task], labels, pairs[task]) for task in best},
        ranks={task: _ranks(compared, task) for task in TASKS},
    )


def _predictions(configuration: Configuration) -> list[Predictions]:
    return [run.predictions for run in configuration.measured if run.predictions is not None]


def _scores_of(
    configuration: Configuration, counts: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray] | None]:
    """Give each score of each seed, (S,), and of each draw, (D,); no draws where the seeds have other images."""
    seeds = _predictions(configuration)
    values = [scores(predictions) for predictions in seeds]
    per_seed = {key: np.concatenate([value[key] for value in values]) for key in SCORES}
    if len({run.images_id for run in configuration.measured}) > 1:
        return per_seed, None
    of_draws = [scores(predictions, counts) for predictions in seeds]
    means = {key: np.mean([value[key] for value in of_draws], axis=0) for key in SCORES}
    return per_seed, means


def _estimate(values: np.ndarray, drawn: np.ndarray | None) -> Estimate:
    deviation = float(values.std(ddof=1)) if len(values) > 1 else None
    if drawn is None:
        return Estimate(float(values.mean()), deviation, None)
    low, high = percentile_interval(drawn)
    return Estimate(float(values.mean()), deviation, (float(low), float(high)))


def _accuracy(estimates: dict[str, dict[str, Estimate]], label: str, task: str) -> float:
    return estimates[label][f"{task}_accuracy"].value


def _to_best(
    label: str,
    labels: tuple[str, ...],
    estimates: dict[str, dict[str, Estimate]],
    drawn: dict[str, dict[str, np.ndarray]],
) -> dict[str, Estimate]:
    found = {}
    for key, score in SCORES.items():
        sign = 1 if score.higher_is_better else -1
        values = np.array([sign * estimates[other][key].value for other in labels])
        best = labels[int(np.argmax(np.where(np.isnan(values), -np.inf, values)))]
        value = estimates[label][key].value - estimates[best][key].value
        interval = None
        if score.has_interval:
            low, high = percentile_interval(drawn[label][key] - drawn[best][key])
            interval = float(low), float(high)
        found[key] = Estimate(value, None, interval)
    return found


def _hits(compared: tuple[Configuration, ...], task: str) -> tuple[np.ndarray, int]:
    """Tell which images each configuration gets right under each seed that all of them have.

    Returns:
        float32 (S, K, N), 1 where it is right, and how many seeds they share; where that is none, the first seed of
        each stands for it.
    """
    by_seed = [
        {run.record.seed: run.predictions.hits(task) for run in configuration.measured if run.predictions is not None}
        for configuration in compared
    ]
    shared = sorted(set.intersection(*(set(hits) for hits in by_seed)))
    rows = [[hits[seed] for hits in by_seed] for seed in shared] or [[next(iter(hits.values())) for hits in by_seed]]
    return np.array(rows, dtype=np.float32), len(shared)


def _pairs(
    compared: tuple[Configuration, ...],
    task: str,
    estimates: dict[str, dict[str, Estimate]],
    drawn: dict[str, dict[str, np.ndarray]],
) -> list[Pair]:
    if len(compared) < 2:
        return []
    labels, key = [configuration.label for configuration in compared], f"{task}_accuracy"
    of_draws = np.stack([drawn[label][key] for label in labels])  # (K, D)
    intervals = [percentile_interval(of_draws[k] - of_draws[k + 1 :]) for k in range(len(labels) - 1)]
    low, high = np.concatenate(intervals, axis=1)  # (K * (K - 1) / 2,) each
    first, second = np.triu_indices(len(labels), k=1)
    means = np.array([estimates[label][key].value for label in labels])
    differences = means[first] - means[second]
    ahead, behind = np.where(differences > 0, (first, second), (second, first))
    p_values = np.where(differences == 0, 1.0, _p_better(_hits(compared, task)[0])[ahead, behind])
    adjusted = holm(p_values)
    return [
        Pair(
            *(labels[first[at]], labels[second[at]]),
            Estimate(float(differences[at]), None, (float(low[at]), float(high[at]))),
            *(float(p_values[at]), float(adjusted[at])),
        )
        for at in range(len(first))
    ]


def _p_better(hits: np.ndarray) -> np.ndarray:
    """Test, for every two configurations, whether the first is right more often than the second.

    A seed in which it is not says nothing for it, however clear it is: else seeds that contradict each other would
    add up. Twice the smaller of the one-sided p-values of both directions, so McNemar's own where there is one seed.

    Args:
        hits: (S, K, N), 1 where it is right.

    Returns:
        p-values (K, K).
    """
    only_first = np.rint(hits @ (1 - hits).transpose(0, 2, 1)).astype(np.int64)  # (S, K, K) images
    only_second = only_first.transpose(0, 2, 1)
    return over_seeds(np.where(only_first > only_second, mcnemar(only_first, only_second), 1.0))


def _tied(best: str, labels: tuple[str, ...], pairs: list[Pair]) -> frozenset[str]:
    """Leave out who is significantly worse than the best, after Holm's adjustment for all pairs."""
    decided = [pair for pair in pairs if best in (pair.first, pair.second) and pair.adjusted < LEVEL]
    return frozenset(labels) - ({label for pair in decided for label in (pair.first, pair.second)} - {best})


def _ranks(compared: tuple[Configuration, ...], task: str) -> Ranks | None:
    """Compare over the seeds that all have; Friedman's test needs three configurations."""
    if len(compared) < 3:
        return None
    hits, num_shared = _hits(compared, task)
    return compare_ranks(hits.mean(axis=2, dtype=np.float64)) if num_shared >= LEAST_BLOCKS else None
