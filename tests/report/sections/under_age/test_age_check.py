"""Age checks by hand, against every age tried one by one, and on simulated data whose truth is known."""

import numpy as np
import pytest
from made_runs import make_predictions, random_predictions, write_run
from scipy import stats

from agegender.records.predictions import Predictions, write
from agegender.records.record import VALIDATION_PREDICTIONS
from agegender.report.results import read_sweep
from agegender.report.sections.under_age.age_check import (
    check_ages,
    choose_age,
    min_teenagers,
    passed_range,
    threshold_curve,
    wrong_side,
)
from agegender.report.sections.under_age.validation import read_years
from agegender.report.statistics.age_limits import AgeLimits
from agegender.report.statistics.significance import wilson

LIMITS = AgeLimits()


def told(years, years_predicted) -> Predictions:
    return make_predictions([3] * len(years), years=years, years_predicted=years_predicted)


def rates(runs: list[Predictions], asked: float, limits: AgeLimits = LIMITS) -> tuple[float, float, float]:
    found = wrong_side(runs, limits, [asked] * len(runs))
    return found.minors.value, found.teenagers.value, found.adults.value


def test_who_passes_by_hand():
    # Minors of 10, 16, 17 years, adults of 18 and 40; who is said to be 18.0 passes as an adult.
    runs = [told([10, 16, 17, 18, 40], [9.5, 18.0, 25.0, 17.0, 33.0])]
    assert rates(runs, 18) == pytest.approx((2 / 3, 1, 1 / 2))
    assert rates(runs, 25) == pytest.approx((1 / 3, 1 / 2, 1 / 2))
    assert rates(runs, 25.5) == pytest.approx((0, 0, 1 / 2))
    assert rates(runs, 0) == pytest.approx((1, 1, 0))
    assert rates(runs, 90) == pytest.approx((0, 0, 1))
    found = wrong_side(runs, LIMITS, [18])
    assert [mean.num_images for mean in (found.minors, found.teenagers, found.adults)] == [3, 2, 2]
    assert found.minors.share_interval() == pytest.approx(wilson(2, 3))


def test_each_seed_may_ask_for_an_age_of_its_own():
    years = [15, 16, 30, 40]
    runs = [told(years, [19, 10, 30, 40]), told(years, [29, 28, 35, 45])]
    found = wrong_side(runs, LIMITS, [20, 30])
    assert (found.teenagers.value, found.adults.value) == (0, 0)
    swapped = wrong_side(runs, LIMITS, [30, 20])
    assert (swapped.teenagers.value, swapped.adults.value) == (0.5, 0)
    assert wrong_side(runs, LIMITS, [31, 30]).adults.value == 0.25


def test_faces_without_a_teenager_have_no_rate_of_teenagers():
    found = wrong_side([told([3, 30], [20, 30])], LIMITS, [18])
    assert (found.minors.value, found.teenagers.num_images) == (1, 0)


@pytest.mark.parametrize(("seeds", "age"), [((1,), 18), ((2, 3, 4), 18), ((5, 6), 21), ((7, 8, 9), 16)])
def test_every_rate_is_what_counting_image_by_image_finds(seeds, age):
    runs = [aged(seed, 300) for seed in seeds]
    limits = AgeLimits(age)
    curve = threshold_curve(runs, limits)
    assert curve is not None
    points = zip(curve.required_ages, curve.false_positive_rate, curve.false_negative_rate, strict=True)
    for asked, false_positive, false_negative in list(points)[::7]:
        shares = []
        for run in runs:
            pairs = list(zip(run.years, run.years_predicted, strict=True))
            teenagers = [predicted >= asked for true, predicted in pairs if 13 <= true < age]
            adults = [predicted < asked for true, predicted in pairs if true >= age]
            shares.append((sum(teenagers) / len(teenagers), sum(adults) / len(adults)))
        expected = pytest.approx(tuple(np.mean(shares, axis=0)), abs=1e-12)
        assert (false_positive, false_negative) == expected
        assert rates(runs, asked, limits)[1:] == expected


def aged(seed: int, size: int) -> Predictions:
    """Random predictions of ages of all years."""
    random = np.random.default_rng(0)
    years = random.integers(0, 60, size)
    return told(years, np.round(years + np.random.default_rng([seed, 2]).normal(0, 8, size), 3))


@pytest.mark.parametrize("seeds", [(1,), (2, 3, 4), (5, 6, 7, 8, 9)])
def test_a_higher_age_lets_fewer_minors_and_fewer_adults_pass(seeds):
    curve = threshold_curve([aged(seed, 200) for seed in seeds], LIMITS)
    assert curve is not None
    assert (np.diff(curve.required_ages) > 0).all()
    assert (np.diff(curve.false_positive_rate) <= 0).all()
    assert (np.diff(curve.false_negative_rate) >= 0).all()
    assert (curve.false_positive_rate[0], curve.false_negative_rate[0]) == (1.0, 0.0)
    assert (curve.false_positive_rate[-1], curve.false_negative_rate[-1]) == (0.0, 1.0)


def test_equal_predictions_give_one_threshold():
    curve = threshold_curve([told([15, 16, 30, 31], [18.0] * 4)], LIMITS)
    assert curve is not None
    assert curve.false_positive_rate.tolist() == [1.0, 0.0]
    assert curve.false_negative_rate.tolist() == [0.0, 1.0]


@pytest.mark.parametrize("years", [[3, 14, 17], [18, 30, 90], [3, 12, 30]])
def test_without_teenagers_or_adults_there_is_no_curve(years):
    assert threshold_curve([told(years, [20, 20, 20])], LIMITS) is None


def test_a_challenge_age_is_asked_for_only_above_the_threshold():
    runs = [told([15, 16, 30, 40], [17, 20, 22, 41])]
    found = check_ages("m", runs, LIMITS)
    assert found.at_challenge is not None and found.at_chosen is None
    assert (found.at_threshold.required_ages, found.at_challenge.required_ages) == ((18,), (25,))
    assert (found.at_challenge.teenagers.value, found.at_challenge.adults.value) == (0, 0.5)
    assert check_ages("m", runs, AgeLimits(25, 25)).at_challenge is None


def test_the_chosen_age_by_hand():
    # Of 39 teenagers rank 0.05 * 40 = 2 is the limit, 50.0: one of them, 51.0, still passes. Who is 12 does not count.
    years = [17] * 39 + [12] * 5 + [30] * 5
    predicted = [51.0, 50.0, *range(37), *[90.0] * 10]
    age = choose_age(np.array(years, dtype=float), np.array(predicted), LIMITS)
    assert age is not None and 50.0 < age < 50.0001
    assert min_teenagers(LIMITS) == 19
    assert choose_age(np.full(18, 17.0), np.arange(18.0), LIMITS) is None
    age = choose_age(np.full(19, 17.0), np.arange(19.0), LIMITS)
    assert age is not None and age > 18.0
    assert choose_age(np.full(99, 17.0), np.arange(99.0), AgeLimits(minors_passed=0.29)) == np.nextafter(70.0, 99)


def test_equal_predictions_are_chosen_so_that_none_too_many_pass():
    age = choose_age(np.full(40, 16.0), np.full(40, 20.0), LIMITS)
    assert age is not None and 20.0 < age < 20.0001


def predictions_of_teenagers(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return random.gamma(9, 2, shape)  # years; skewed, as real ones are


def test_a_chosen_age_passes_the_asked_share_of_new_faces_and_one_of_the_test_part_seems_better():
    random = np.random.default_rng(0)
    size = 99
    on_validation = []
    on_test = []
    seemingly = []
    for _ in range(2000):
        validation, test = predictions_of_teenagers(random, (2, size))
        age, peeked = (choose_age(np.full(size, 16.0), predicted, LIMITS) for predicted in (validation, test))
        on_validation.append(stats.gamma.sf(age, 9, scale=2))
        on_test.append((test >= age).mean())
        seemingly.append((test >= peeked).mean())
    assert np.mean(on_validation) == pytest.approx(0.05, abs=0.002)
    assert np.mean(on_test) == pytest.approx(0.05, abs=0.002)
    assert np.max(seemingly) <= 0.0405, "what was looked at while choosing flatters"
    low, high = passed_range(size, LIMITS)
    inside = [low <= share <= high for share in on_validation]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.015)


def coverage(num_seeds: int, number: int, asked: float, seed_spread: float) -> tuple[float, float]:
    """How often the interval of a rate holds the truth, and how often that of the images alone does.

    A prediction is off by 4 years from face to face, by `seed_spread` from seed to seed, and by 4 years by chance.
    """
    random = np.random.default_rng(2)
    years = np.full(number, 16.0)
    truth = stats.norm.sf((asked - 16) / np.sqrt(4**2 + 4**2 + seed_spread**2))
    covered = []
    rounds = 500
    for _ in range(rounds):
        seeds = random.normal(0, seed_spread, (num_seeds, 1))
        predicted = years + random.normal(0, 4, number) + seeds + random.normal(0, 4, (num_seeds, number))
        rate = wrong_side([told(years, row) for row in predicted], LIMITS, [asked] * num_seeds).teenagers
        intervals = rate.share_interval(), wilson(rate.value * number, number)
        covered.append([low <= truth <= high for low, high in intervals])
    crossed, images_alone = np.mean(covered, axis=0)
    return float(crossed), float(images_alone)


@pytest.mark.parametrize(
    ("num_seeds", "number", "asked", "seed_spread"),
    [(1, 161, 18, 0.0), (1, 691, 30, 0.0), (3, 161, 18, 1.0), (3, 161, 26, 2.0)],
)
def test_the_interval_of_a_rate_covers_the_truth(num_seeds, number, asked, seed_spread):
    """Of one seed the rate of this network is meant, of several that of the method."""
    assert 0.93 <= coverage(num_seeds, number, asked, seed_spread)[0] <= 0.98


def test_an_interval_of_images_alone_would_not_cover_what_seeds_change():
    crossed, images_alone = coverage(3, 161, 18, 2.0)
    assert crossed >= 0.9
    assert images_alone <= 0.7


def test_the_years_of_a_validation_part_are_read_on_demand(tmp_path):
    folder = write_run(tmp_path, random_predictions(1, 30), validation=aged(3, 20))
    run = read_sweep(tmp_path).runs[0]
    found = read_years(run)
    assert found is not None
    assert found[0].tolist() == aged(3, 20).years.tolist()
    assert found[1].tolist() == aged(3, 20).years_predicted.tolist()
    for broken in ("", "no,table\n1,2\n", "years,years_predicted\n3,x\n", "years,years_predicted\n3,\n"):
        (folder / VALIDATION_PREDICTIONS).write_text(broken)
        assert read_years(run) is None
    (folder / VALIDATION_PREDICTIONS).unlink()
    assert read_years(run) is None
    write(folder / VALIDATION_PREDICTIONS, aged(3, 20))
    assert read_years(run) is not None
