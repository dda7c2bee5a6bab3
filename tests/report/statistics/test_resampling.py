"""Intervals on simulated sweeps whose truth is known."""

from pathlib import Path

import numpy as np
import pytest
from made_runs import make_predictions, make_record

from agegender.report.results import Configuration, Run, SweepResults
from agegender.report.statistics.analysis import Analysis, analyse

N = 500


def sweep_of(hits: list[np.ndarray]) -> SweepResults:
    """A sweep of configurations with these hits at age, (S, N) each, in memory."""
    configurations = []
    for number, of_seeds in enumerate(hits):
        runs = []
        for seed, right in enumerate(of_seeds):
            told = make_predictions(np.full(N, 4), np.where(right, 4, 5))
            runs.append(Run(Path("run"), make_record(told, model=f"m{number}", seed=seed), told, "the same"))
        configurations.append(Configuration(f"m{number}", f"m{number}", "plain", tuple(runs)))
    return SweepResults("t", Path("t"), tuple(configurations), ())


def simulated(random: np.random.Generator, configurations: int, seeds: int, sigma: float) -> Analysis:
    """Equal configurations of 62 % whose seeds differ in their true accuracy by `sigma`, a share."""
    image = random.standard_normal(N)
    hits = []
    for _ in range(configurations):
        score = 0.8 * image + 0.6 * random.standard_normal((seeds, N))
        limits = 0.3055 + sigma / 0.381 * random.standard_normal((seeds, 1))
        hits.append(score < limits)
    return analyse(sweep_of(hits), num_draws=400)


@pytest.mark.parametrize(("seeds", "sigma"), [(1, 0.0), (3, 0.03)])
def test_intervals_of_equal_configurations_seldom_leave_zero_out(seeds, sigma):
    random = np.random.default_rng(seeds)
    excluded = 0
    to_highest = 0
    for _ in range(60):
        found = simulated(random, 5, seeds, sigma)
        ends = [pair.difference.interval for pair in found.pairs["age"]]
        excluded += any(not low <= 0 <= high for low, high in ends)
        differences = (of["age_accuracy"].interval for of in found.differences.values())
        to_highest += any(high < 0 for _, high in differences)
    assert excluded <= 8 and to_highest <= 8  # 60 times 5 % are 3; unadjusted it would be 16 and more


def test_an_interval_over_images_and_seeds_covers_the_mean_of_all_seeds():
    random = np.random.default_rng(5)
    covered = 0
    for _ in range(150):
        estimate = simulated(random, 1, 3, 0.03).estimates["m0"]["age_accuracy"]
        assert estimate.interval is not None
        low, high = estimate.interval
        covered += low <= 0.62 <= high
    assert 0.92 <= covered / 150  # intervals of the images alone cover about 85 %


def test_intervals_of_several_seeds_are_wider_than_those_of_the_images():
    random = np.random.default_rng(6)
    image = random.standard_normal(N)
    alike = [image[None] + 0.1 * random.standard_normal((3, N)) < 0.3]
    unlike = [image[None] + 0.1 * random.standard_normal((3, N)) < np.array([[0.1], [0.3], [0.5]])]
    widths = []
    for hits in (alike, unlike):
        interval = analyse(sweep_of(hits), num_draws=400).estimates["m0"]["age_accuracy"].interval
        assert interval is not None
        widths.append(interval[1] - interval[0])
    assert widths[1] > 2 * widths[0]
