"""Who of the group 13-20 is predicted older: by hand, and on simulated data whose truth is known."""

import numpy as np
import pytest
from made_runs import make_predictions
from scipy import stats

from agegender.records.predictions import Predictions
from agegender.report.statistics.age_limits import AgeLimits
from agegender.report.statistics.boundary_errors import boundary_errors, paired_difference
from agegender.report.statistics.crossed import crossed_mean

LIMITS = AgeLimits()


def share(runs: list[Predictions]) -> float:
    return crossed_mean(boundary_errors(runs, LIMITS).group).value


def test_predicted_older_counts_the_group_13_to_20_in_any_older_group():
    group = [3, 3, 3, 3, 3, 2, 4, 4]
    older = boundary_errors([make_predictions(group, [3, 4, 7, 2, 0, 4, 5, 3])], LIMITS)
    assert older.group.tolist() == [[False, True, True, False, False]]


def test_predicted_older_is_a_mean_over_seeds():
    runs = [make_predictions([3, 3, 4], predicted) for predicted in ([4, 4, 4], [3, 5, 4], [3, 4, 3], [3, 3, 4])]
    assert share(runs) == 0.5


def test_the_reverse_counts_older_faces_in_the_group_or_a_younger_one():
    found = boundary_errors([make_predictions([4, 4, 7, 5, 3, 2], [3, 4, 0, 4, 2, 1])], LIMITS)
    assert found.older.tolist() == [[True, False, True, False]]


def test_minors_of_the_group_are_those_below_the_threshold():
    run = make_predictions([3, 3, 3, 2], [3, 4, 4, 4], years=[13, 17, 18, 12])
    older = boundary_errors([run], LIMITS)
    assert older.minors.tolist() == [[False, True]]
    assert boundary_errors([run], AgeLimits(19)).minors.tolist() == [[False, True, True]]


def test_predicted_older_without_an_image_of_the_group_has_no_value():
    runs = [make_predictions([2, 4], [4, 5])]
    assert np.isnan(share(runs))
    older = boundary_errors(runs, LIMITS)
    found = paired_difference(older.group, older.group)
    assert (found.p_value, found.mean.num_images) == (1.0, 0)


def test_two_networks_are_compared_by_mcnemar_and_several_seeds_crossed():
    first = (np.arange(60) < 20)[None]
    second = (np.arange(60) < 32)[None]
    alone = paired_difference(first, second)
    assert alone.mean.value == pytest.approx(-0.2)
    assert alone.p_value == pytest.approx(2 / 2**12)
    several = paired_difference(np.repeat(first, 3, axis=0), second)
    assert several.p_value == several.mean.p_value() != alone.p_value
    assert alone.single and several.single and not paired_difference(*[np.repeat(first, 3, axis=0)] * 2).single


def simulated(random: np.random.Generator, mean: float, num_seeds: int, image: np.ndarray) -> np.ndarray:
    """Hits with the share that `mean` stands for: a face's own difficulty, a seed's own bias, and chance."""
    seeds = random.normal(0, 0.25, (num_seeds, 1))
    return image + seeds + random.normal(0, 1, (num_seeds, len(image))) < mean


@pytest.mark.parametrize("num_seeds", [3, 5])
def test_a_remedy_that_changes_nothing_is_seldom_called_one(num_seeds):
    random = np.random.default_rng(0)
    found = 0
    for _ in range(600):
        image = random.normal(0, 1, 284)
        found += paired_difference(*(simulated(random, 0.1, num_seeds, image) for _ in range(2))).p_value < 0.05
    assert found / 600 < 0.075


def test_the_interval_of_a_remedy_covers_its_true_effect():
    random = np.random.default_rng(1)
    covered = 0
    truth = np.subtract(*stats.norm.cdf([0.1, -0.5], scale=np.sqrt(1 + 0.25**2 + 1)))
    for _ in range(600):
        image = random.normal(0, 1, 284)
        pair = paired_difference(simulated(random, 0.1, 3, image), simulated(random, -0.5, 3, image))
        low, high = pair.mean.interval()
        covered += low <= truth <= high
    assert 0.92 <= covered / 600 <= 0.98
