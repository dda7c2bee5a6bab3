"""Simulated hits of equally good configurations, and how often a test wrongly finds a difference between them.

Of 4,619 images 62 % are right; two seeds of a configuration disagree on 20.5 % of the images, two configurations on
24 %, as the networks of this project do on UTKFace. Seeds differ in their true accuracy with a standard deviation
sigma, in points. `python tests/support/simulated_hits.py` prints the family-wise error of two tests, both with Holm's
correction: McNemar's per seed, combined by Rüger's rule, and the report's, crossed over images and seeds.
"""

import sys
from collections.abc import Callable

import numpy as np
from scipy import stats
from scipy.optimize import brentq

from agegender.report.statistics.crossed import compare_on_images
from agegender.report.statistics.significance import LEVEL, holm, mcnemar

IMAGES = 4_619
ACCURACY = 0.62
_BETWEEN_SEEDS = 0.205  # shares of images on which they disagree
_BETWEEN_CONFIGURATIONS = 0.24


def _correlation(disagreement: float) -> float:
    """Return the correlation of two normal scores whose hits disagree on this share of the images."""
    limit = stats.norm.ppf(ACCURACY)

    def excess(rho: float) -> float:
        both = stats.multivariate_normal.cdf([limit, limit], cov=[[1, rho], [rho, 1]])
        return 2 * (ACCURACY - float(both)) - disagreement

    return brentq(excess, 0.0, 0.999)


_OF_SEEDS = _correlation(_BETWEEN_SEEDS)
_OF_CONFIGURATIONS = _correlation(_BETWEEN_CONFIGURATIONS)


def simulate(
    random: np.random.Generator,
    seeds: tuple[int, ...],
    sigma: float,
    *,
    images: int = IMAGES,
    gain: float = 0.0,
) -> list[np.ndarray]:
    """Draw the hits of configurations, (S_k, N) each.

    Args:
        random: random generator.
        seeds: number of seeds of each configuration.
        sigma: standard deviation of the true accuracy of a seed, points.
        images: N.
        gain: points by which the first configuration is truly better.
    """
    limit = stats.norm.ppf(ACCURACY)
    per_point = 0.01 / stats.norm.pdf(limit)  # change of the score per point of accuracy
    image = np.sqrt(_OF_CONFIGURATIONS) * random.standard_normal(images)
    found = []
    for number, count in enumerate(seeds):
        configuration = image + np.sqrt(_OF_SEEDS - _OF_CONFIGURATIONS) * random.standard_normal(images)
        score = configuration + np.sqrt(1 - _OF_SEEDS) * random.standard_normal((count, images))
        shift = sigma * per_point * random.standard_normal((count, 1)) + (gain * per_point if number == 0 else 0)
        found.append((score < limit + shift).astype(np.float32))
    return found


def crossed(hits: list[np.ndarray]) -> np.ndarray:
    """Return the adjusted p-values of all pairs, by the report's test."""
    return holm(compare_on_images(hits).p_value)


def mcnemar_of_most_seeds(hits: list[np.ndarray]) -> np.ndarray:
    """Return the adjusted p-values of all pairs, by a test in which most seeds must show the difference separately."""
    by_seed = np.stack(hits, axis=1)  # (S, K, N)
    first, second = np.triu_indices(len(hits), 1)
    only_first = np.rint(by_seed @ (1 - by_seed).transpose(0, 2, 1)).astype(np.int64)
    only_second = only_first.transpose(0, 2, 1)
    better = _majority(np.where(only_first > only_second, mcnemar(only_first, only_second), 1.0))
    ahead = by_seed.mean(axis=(0, 2))
    best, other = np.where(ahead[first] > ahead[second], (first, second), (second, first))
    return holm(better[best, other])


def _majority(p_values: np.ndarray) -> np.ndarray:
    """Combine the p-values of seeds: the k-th smallest of S, times S / k, k the smallest majority; Rüger 1978."""
    number = len(p_values)
    k = number // 2 + 1
    return np.minimum(1.0, np.sort(p_values, axis=0)[k - 1] * number / k)


def rejection_rate(
    test: Callable[[list[np.ndarray]], np.ndarray],
    seeds: tuple[int, ...],
    sigma: float,
    *,
    number: int,
    images: int = IMAGES,
    gain: float = 0.0,
) -> float:
    """Return the share of simulated sweeps in which a test finds any difference."""
    random = np.random.default_rng([len(seeds), seeds[0], int(100 * sigma), int(100 * gain)])
    found = 0
    for _ in range(number):
        found += bool((test(simulate(random, seeds, sigma, images=images, gain=gain)) < LEVEL).any())
    return found / number


def main(number: int) -> None:
    """Print the table of false alarms, and the power for a true difference of 1.5 points."""
    print(f"{number} simulated sweeps per cell; McNemar per seed -> crossed")
    print("| K | S | " + " | ".join(f"sigma {sigma}" for sigma in (0, 0.3, 0.5, 1.0)) + " |\n|---|---|---|---|---|---|")
    for configurations in (2, 5, 10):
        for count in (1, 3, 5):
            seeds = (count,) * configurations
            cells = [
                " -> ".join(
                    f"{rejection_rate(test, seeds, sigma, number=number):.3f}"
                    for test in (mcnemar_of_most_seeds, crossed)
                )
                for sigma in (0.0, 0.3, 0.5, 1.0)
            ]
            print(f"| {configurations} | {count} | " + " | ".join(cells) + " |", flush=True)
    for count in (1, 3, 5):
        per_seed, on_images = (
            rejection_rate(test, (count, count), 0.3, number=number, gain=1.5)
            for test in (mcnemar_of_most_seeds, crossed)
        )
        print(
            f"power, 1.5 points, 2 configurations, {count} seeds, sigma 0.3: {per_seed:.2f} -> {on_images:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)
