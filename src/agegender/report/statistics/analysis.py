"""All tests of a sweep: scores with intervals, pairwise differences, and who is not significantly below the best."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from agegender.records.predictions import TASKS
from agegender.report.results import SweepResults
from agegender.report.statistics.crossed import PairTests, compare_on_images, compare_over_splits, detectable_difference
from agegender.report.statistics.design import Design, design_of
from agegender.report.statistics.resampling import Draws, draw_scores, half_widths
from agegender.report.statistics.scores import SCORES
from agegender.report.statistics.significance import LEVEL, Ranks, compare_ranks, holm, percentile_interval

NUM_DRAWS = 2_000  # of the bootstrap


@dataclass(frozen=True)
class Estimate:
    """A score, or a difference of scores.

    Attributes:
        value: mean over seeds and splits.
        deviation: standard deviation over them, with divisor S - 1; None for a single run.
        interval: 95 %, over test images and seeds, or over splits; None where the runs were not tested on the same
            images, and for scores without a valid bootstrap.
    """

    value: float
    deviation: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Pair:
    """The comparison of two configurations.

    Attributes:
        first, second: labels.
        difference: of the task's accuracy, first minus second; its interval is simultaneous over all compared pairs.
        planned: 95 % interval of this difference alone, for a comparison that was planned in advance.
        p_value: of the test that `Design.basis` names; 1 for equal means.
        adjusted: `p_value`, adjusted by Holm for all compared pairs.
    """

    first: str
    second: str
    difference: Estimate
    planned: tuple[float, float]
    p_value: float
    adjusted: float


@dataclass(frozen=True)
class Analysis:
    """All tests of a sweep.

    Attributes:
        design: the compared configurations, and what varied between their runs.
        estimates: by label, then by key of `SCORES`; of every configuration with predictions.
        differences: by label, then by key: difference to the highest of the score (the lowest of an error), with an
            interval simultaneous over all pairs; of the compared configurations only.
        best: by task, the label with the highest accuracy; empty where nothing is compared.
        pairs: by task, all pairs, or those with the reference.
        detectable: by task, the true difference of accuracies that one planned comparison would detect with a
            probability of 80 %; NaN without a pair.
        ranks: by task, over the splits; None where there are too few splits.
    """

    design: Design
    estimates: dict[str, dict[str, Estimate]]
    differences: dict[str, dict[str, Estimate]]
    best: dict[str, str]
    pairs: dict[str, list[Pair]]
    detectable: dict[str, float]
    ranks: dict[str, Ranks | None]

    @property
    def compared(self) -> tuple[str, ...]:
        """Labels of the configurations that are compared."""
        return self.design.labels

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks of which the test images have labels."""
        return tuple(task for task in TASKS if self.design.has_labels(task))

    @property
    def num_images(self) -> int:
        """Number of test images that the compared configurations share; of the first split, if there are several."""
        return self.design.num_images

    def comparator(self, task: str) -> str:
        """Return the label that the others are compared with: the reference, else the highest accuracy."""
        return self.design.reference or self.best[task]

    def sign(self, first: str, second: str, task: str) -> int:
        """Return 1 where the first is significantly higher, -1 where it is significantly lower, else 0."""
        for pair in self.pairs[task]:
            if {pair.first, pair.second} == {first, second} and pair.adjusted < LEVEL:
                difference = pair.difference.value if pair.first == first else -pair.difference.value
                return 1 if difference > 0 else -1
        return 0

    def tied(self, task: str) -> frozenset[str]:
        """Return the labels that do not differ significantly from `comparator`, itself included."""
        if not self.compared:
            return frozenset()
        comparator = self.comparator(task)
        return frozenset(label for label in self.compared if not self.sign(comparator, label, task))

    def mark(self, task: str, label: str) -> str:
        """Return `best` for the highest, `tied` for those not significantly different from `comparator`, or empty."""
        if len(self.compared) < 2 or math.isnan(_accuracy(self.estimates, label, task)):
            return ""
        if label == self.best[task]:
            return "best"
        return "tied" if label in self.tied(task) else ""


def analyse(sweep: SweepResults, num_draws: int = NUM_DRAWS) -> Analysis:
    """Run all tests that the sweep allows."""
    design = design_of(sweep)
    labels = design.labels
    drawn = draw_scores(sweep.configurations, design, num_draws)
    estimates = {label: {key: _estimate(found, key) for key in SCORES} for label, found in drawn.items()}
    widths = {key: half_widths([drawn[label] for label in labels], key, design) for key in SCORES}
    tests = {task: _tests(design, drawn, task) for task in TASKS if len(labels) > 1 and design.has_labels(task)}
    return Analysis(
        design=design,
        estimates=estimates,
        differences={label: _to_best(at, labels, estimates, widths) for at, label in enumerate(labels)},
        best={task: max(labels, key=lambda label: _accuracy(estimates, label, task)) for task in TASKS if labels},
        pairs={task: _pairs(design, tests[task]) if task in tests else [] for task in TASKS},
        detectable={task: detectable_difference(tests[task]) if task in tests else float("nan") for task in TASKS},
        ranks={task: _ranks(design, drawn, task) if design.has_labels(task) else None for task in TASKS},
    )


def _estimate(found: Draws, key: str) -> Estimate:
    values = found.values[key]
    deviation = float(values.std(ddof=1)) if len(values) > 1 else None
    if found.draws is None or not SCORES[key].has_interval:
        return Estimate(found.means[key], deviation, None)
    drawn = found.draws[key]
    low, high = percentile_interval(np.clip(drawn, 0, 1) if SCORES[key].unit == "%" else drawn)
    return Estimate(found.means[key], deviation, (float(low), float(high)))


def _accuracy(estimates: dict[str, dict[str, Estimate]], label: str, task: str) -> float:
    return estimates[label][f"{task}_accuracy"].value


def _to_best(
    at: int, labels: tuple[str, ...], estimates: dict[str, dict[str, Estimate]], widths: dict[str, np.ndarray]
) -> dict[str, Estimate]:
    found = {}
    for key, score in SCORES.items():
        sign = 1 if score.higher_is_better else -1
        values = np.array([estimates[other][key].value for other in labels])
        best = int(np.argmax(np.where(np.isnan(values), -np.inf, sign * values)))
        value = float(values[at] - values[best])
        half = float(widths[key][at, best])
        found[key] = Estimate(value, None, (value - half, value + half) if score.has_interval else None)
    return found


def _tests(design: Design, drawn: dict[str, Draws], task: str) -> PairTests:
    if design.num_splits > 1:
        return compare_over_splits(_by_split(design, drawn, f"{task}_accuracy"), design.test_to_train)
    return compare_on_images([design.hits(configuration, task) for configuration in design.compared])


def _by_split(design: Design, drawn: dict[str, Draws], key: str) -> np.ndarray:
    return np.stack([drawn[label].by_split[key] for label in design.labels], axis=1)  # (J, K)


def _pairs(design: Design, tests: PairTests) -> list[Pair]:
    labels = design.labels
    reference = design.reference
    first, second = np.triu_indices(len(labels), 1)
    chosen = np.array([reference in (None, labels[j], labels[k]) for j, k in zip(first, second, strict=True)])
    adjusted = np.ones(len(first))
    adjusted[chosen] = holm(tests.p_value[chosen])
    simultaneous = stats.t.isf(LEVEL / 2 / design.num_pairs, tests.degrees) * tests.standard_error  # Bonferroni
    alone = stats.t.isf(LEVEL / 2, tests.degrees) * tests.standard_error
    found = []
    for at in np.flatnonzero(chosen):
        j = first[at]
        k = second[at]
        value = float(tests.difference[at])
        half = float(simultaneous[at])
        difference = Estimate(value, None, (value - half, value + half))
        planned = (value - float(alone[at]), value + float(alone[at]))
        found.append(Pair(labels[j], labels[k], difference, planned, float(tests.p_value[at]), float(adjusted[at])))
    return found


def _ranks(design: Design, drawn: dict[str, Draws], task: str) -> Ranks | None:
    """Compare ranks over splits, the only independent blocks; Friedman's test needs three configurations."""
    if len(design.labels) < 3 or not design.has_enough_splits_for_ranks:
        return None
    return compare_ranks(_by_split(design, drawn, f"{task}_accuracy"))
