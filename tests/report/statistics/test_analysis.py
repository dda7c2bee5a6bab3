"""Analyses of sweeps whose answers are known, against scipy, statsmodels, and by hand."""

from pathlib import Path

import numpy as np
import pytest
from made_runs import make_predictions, random_predictions, right_at, write_run
from scipy import stats
from statsmodels.stats.multitest import multipletests

from agegender.labels import age_groups
from agegender.records import record
from agegender.records.predictions import Predictions
from agegender.report.results import SweepResults, read_sweep
from agegender.report.statistics.analysis import TASKS, Analysis, Pair, analyse
from agegender.report.statistics.scores import SCORES, draws, scores

IMAGES = 200


def sweep_of(folder: Path, told: dict[str, list[Predictions] | dict[int, Predictions]]) -> SweepResults:
    """A sweep of these models; a list stands for the seeds from 0 on."""
    for model, seeds in told.items():
        for seed, predictions in seeds.items() if isinstance(seeds, dict) else enumerate(seeds):
            write_run(folder, predictions, model=model, seed=seed)
    return read_sweep(folder)


def analysis_of(folder: Path, told: dict[str, list[Predictions] | dict[int, Predictions]]) -> Analysis:
    return analyse(sweep_of(folder, told), num_draws=200)


def right_but_for(*wrong: int | range) -> Predictions:
    return right_at(IMAGES, *wrong)


def tied(found: Analysis, task: str = "age") -> set[str]:
    return {label.removesuffix(" / plain") for label in found.tied(task)}


def only_pair(found: Analysis) -> Pair:
    (pair,) = found.pairs["age"]
    return pair


def mcnemar(first_only: int, second_only: int) -> float:
    return stats.binomtest(first_only, first_only + second_only).pvalue


def test_a_clear_winner_stands_alone(tmp_path):
    found = analysis_of(tmp_path, {"alexnet": [right_but_for(range(80))], "vgg11": [right_but_for(range(70, 90))]})
    assert found.best["age"] == "vgg11 / plain"
    assert tied(found) == {"vgg11"}
    assert only_pair(found).difference.value == pytest.approx(-60 / IMAGES)
    assert only_pair(found).p_value == pytest.approx(mcnemar(10, 70))


def test_two_that_cannot_be_told_apart_are_tied(tmp_path):
    found = analysis_of(tmp_path, {"alexnet": [right_but_for(range(12))], "vgg11": [right_but_for(range(4, 14))]})
    assert found.best["age"] == "vgg11 / plain"
    assert tied(found) == {"alexnet", "vgg11"}
    assert only_pair(found).p_value == pytest.approx(mcnemar(2, 4))


def test_of_equals_the_first_in_the_papers_order_is_the_best_and_all_are_tied(tmp_path):
    found = analysis_of(tmp_path, {"vgg11": [right_but_for(range(30))], "alexnet": [right_but_for(range(100, 130))]})
    assert found.best["age"] == "alexnet / plain"
    assert tied(found) == {"alexnet", "vgg11"}
    assert (only_pair(found).difference.value, only_pair(found).p_value) == (0.0, 1.0)


def test_tasks_have_winners_of_their_own(tmp_path):
    gender = np.arange(IMAGES) % 2
    age = right_at(IMAGES, range(5), gender=gender, gender_predicted=0)
    of_gender = right_at(IMAGES, range(60), gender=gender)
    found = analysis_of(tmp_path, {"alexnet": [age], "vgg11": [of_gender]})
    assert found.best == {"age": "alexnet / plain", "gender": "vgg11 / plain"}
    assert (tied(found, "age"), tied(found, "gender")) == ({"alexnet"}, {"vgg11"})


def test_all_pairs_are_mcnemars_adjusted_by_holm(tmp_path):
    told = {
        model: random_predictions(seed, IMAGES, skill=skill)
        for seed, (model, skill) in enumerate((("alexnet", 0.3), ("vgg11", 0.4), ("resnet18", 0.5), ("ours", 0.5)))
    }
    found = analysis_of(tmp_path, {model: [predictions] for model, predictions in told.items()})
    for task, key in (("age", "group"), ("gender", "gender")):
        pairs = found.pairs[task]
        p_values = []
        assert len(pairs) == 6
        for pair in pairs:
            one, other = (told[label.removesuffix(" / plain")] for label in (pair.first, pair.second))
            right, also = (getattr(run, key) == getattr(run, f"{key}_predicted") for run in (one, other))
            p_values.append(mcnemar(int((right & ~also).sum()), int((also & ~right).sum())))
            assert pair.difference.value == pytest.approx(right.mean() - also.mean())
        assert [pair.p_value for pair in pairs] == pytest.approx(p_values)
        assert [pair.adjusted for pair in pairs] == pytest.approx(multipletests(p_values, method="holm")[1])


def test_who_is_worse_only_before_the_adjustment_for_all_pairs_is_tied(tmp_path):
    told = {"alexnet": [right_but_for(range(6))], "vgg11": [right_but_for()], "ours": [right_but_for(range(50, 56))]}
    found = analysis_of(tmp_path, told)
    assert sorted(pair.p_value for pair in found.pairs["age"]) == pytest.approx([2 / 64, 2 / 64, 1.0])
    assert tied(found) == {"alexnet", "vgg11", "ours"}  # 3 * 2 / 64 is more than 5 %


def test_several_seeds_are_tested_with_the_variance_of_images_and_of_seeds_by_hand(tmp_path):
    worse, better = ([right_but_for(range(count)) for count in counts] for counts in ((30, 12, 20), (5, 4, 6)))
    pair = only_pair(analysis_of(tmp_path, {"alexnet": worse, "vgg11": better}))
    hits = [np.array([run.hits("age") for run in runs], dtype=float) for runs in (worse, better)]
    images = (hits[0].mean(axis=0) - hits[1].mean(axis=0)).var(ddof=1) / IMAGES
    seeds = [one.mean(axis=1).var(ddof=1) / 3 for one in hits]
    total = images + sum(seeds)
    degrees = total**2 / (images**2 / (IMAGES - 1) + sum(variance**2 for variance in seeds) / 2)
    assert pair.difference.value == pytest.approx((5 - 62 / 3) / IMAGES)
    assert pair.p_value == pytest.approx(2 * stats.t.sf(abs(pair.difference.value) / np.sqrt(total), degrees))


def test_seeds_that_contradict_each_other_decide_nothing(tmp_path):
    first = [right_but_for(), right_but_for(range(30)), right_but_for(range(10))]
    second = [right_but_for(range(40)), right_but_for(), right_but_for(range(10))]
    found = analysis_of(tmp_path, {"alexnet": first, "vgg11": second})
    assert found.best["age"] == "alexnet / plain"
    assert only_pair(found).p_value > 0.5
    assert tied(found) == {"alexnet", "vgg11"}


def test_seeds_without_a_number_in_common_decide_by_all_of_them(tmp_path):
    told = {
        "alexnet": {seed: right_but_for(range(count)) for seed, count in ((0, 60), (1, 20), (2, 22))},
        "vgg11": {seed: right_but_for(range(count)) for seed, count in ((7, 21), (8, 40), (9, 41))},
    }
    pair = only_pair(analysis_of(tmp_path, told))
    assert abs(pair.difference.value) < 0.01  # though the first seeds are 39 images apart
    assert pair.p_value > 0.8


def test_a_score_is_the_mean_over_seeds_with_its_deviation(tmp_path):
    found = analysis_of(tmp_path, {"alexnet": [right_but_for(range(count)) for count in (10, 20, 60)]})
    accuracy = found.estimates["alexnet / plain"]["age_accuracy"]
    assert accuracy.value == pytest.approx(1 - 30 / IMAGES)
    assert accuracy.deviation == pytest.approx(np.sqrt((20**2 + 10**2 + 30**2) / 2) / IMAGES)


def test_one_seed_has_no_deviation(tmp_path):
    found = analysis_of(tmp_path, {"alexnet": [right_but_for(3)]})
    assert all(estimate.deviation is None for estimate in found.estimates["alexnet / plain"].values())


def test_an_interval_of_one_seed_is_the_bootstrap_over_images(tmp_path):
    told = random_predictions(1, IMAGES)
    found = analyse(sweep_of(tmp_path, {"alexnet": [told]}), num_draws=4_000)
    oracle = stats.bootstrap((told.hits("age"),), np.mean, method="percentile", rng=np.random.default_rng(1))
    interval = found.estimates["alexnet / plain"]["age_accuracy"].interval
    assert interval == pytest.approx(tuple(oracle.confidence_interval), abs=0.15 * oracle.standard_error)


def test_an_interval_of_seeds_that_agree_on_every_image_is_students(tmp_path):
    wrong = (10, 30, 50, 62)
    told = [right_at(IMAGES, [*range(count)]) for count in wrong]
    found = analyse(sweep_of(tmp_path, {"alexnet": told}), num_draws=20_000).estimates["alexnet / plain"]
    accuracies = 1 - np.array(wrong) / IMAGES
    images = np.mean([run.hits("age") for run in told], axis=0).std() / np.sqrt(IMAGES)
    low, high = found["age_accuracy"].interval
    random = np.random.default_rng(0)
    oracle = random.normal(0, images, 400_000) + random.standard_t(3, 400_000) * accuracies.std(ddof=1) / 2
    assert (low, high) == pytest.approx(tuple(accuracies.mean() + np.quantile(oracle, [0.025, 0.975])), abs=0.01)


def test_a_calibration_error_over_bins_has_no_interval(tmp_path):
    told = {"alexnet": [random_predictions(3, IMAGES)], "vgg11": [random_predictions(4, IMAGES)]}
    found = analysis_of(tmp_path, told)
    binned = {f"{task}_{kind}" for task in TASKS for kind in ("calibration_error", "rms_calibration_error")}
    for of in (found.estimates["alexnet / plain"], found.differences["alexnet / plain"]):
        assert {key for key, estimate in of.items() if estimate.interval is None} == binned


def test_an_interval_of_a_difference_is_paired(tmp_path):
    one = random_predictions(1, IMAGES)
    other = random_predictions(2, IMAGES, skill=0.4)
    found = analyse(sweep_of(tmp_path, {"alexnet": [one], "vgg11": [other]}), num_draws=4_000)
    gained = (one.group == one.group_predicted) * 1.0 - (other.group == other.group_predicted)
    oracle = stats.bootstrap((gained,), np.mean, method="percentile", rng=np.random.default_rng(1))
    interval = only_pair(found).difference.interval
    assert interval == pytest.approx(tuple(oracle.confidence_interval), abs=0.15 * oracle.standard_error)


def test_differences_are_to_the_highest_of_each_score_with_the_interval_of_the_pair(tmp_path):
    told = {"alexnet": random_predictions(1, IMAGES, skill=0.6), "vgg11": random_predictions(2, IMAGES, skill=0.3)}
    found = analysis_of(tmp_path, {model: [predictions] for model, predictions in told.items()})
    counts = draws(IMAGES, 200)
    for key, score in SCORES.items():
        values = {model: scores(predictions)[key].item() for model, predictions in told.items()}
        best = (max if score.higher_is_better else min)(values, key=lambda model: values[model])
        for model, predictions in told.items():
            difference = found.differences[f"{model} / plain"][key]
            assert difference.value == pytest.approx(values[model] - values[best], abs=1e-12)
            if not score.has_interval:
                continue
            drawn = scores(predictions, counts)[key] - scores(told[best], counts)[key]
            half = 1.95996 * np.nanstd(drawn, ddof=1)
            expected = (difference.value - half, difference.value + half)
            assert difference.interval == pytest.approx(expected, abs=1e-4, nan_ok=True)


def test_intervals_of_many_pairs_are_wider_than_of_one(tmp_path):
    told = {f"model{n}": [random_predictions(n, IMAGES)] for n in range(6)}
    many = analysis_of(tmp_path / "many", told).pairs["age"]
    two = analysis_of(tmp_path / "two", {name: told[name] for name in ("model0", "model1")}).pairs["age"]

    def width(pair: Pair) -> float:
        return pair.difference.interval[1] - pair.difference.interval[0]

    (same,) = [pair for pair in many if {pair.first, pair.second} == {"model0 / plain", "model1 / plain"}]
    assert same.difference.value == two[0].difference.value
    assert 1.2 < width(same) / width(two[0]) < 1.8  # 15 pairs: about 2.85 instead of 1.96 standard errors


def test_a_score_without_a_value_is_never_the_best(tmp_path):
    # All images are of one group: kappa of a perfect prediction is no number, that of any other is 0.
    found = analysis_of(tmp_path, {"alexnet": [right_but_for()], "vgg11": [right_but_for(range(20))]})
    assert np.isnan(found.estimates["alexnet / plain"]["age_kappa"].value)
    assert found.differences["vgg11 / plain"]["age_kappa"].value == 0.0


def test_a_single_configuration_is_best_of_itself(tmp_path):
    found = analysis_of(tmp_path, {"alexnet": [right_but_for(range(9))]})
    assert found.compared == ("alexnet / plain",)
    assert found.best == dict.fromkeys(TASKS, "alexnet / plain")
    assert all(found.tied(task) == {"alexnet / plain"} for task in TASKS)
    assert found.pairs == {"age": [], "gender": []}
    assert found.ranks == {"age": None, "gender": None}
    assert found.num_images == IMAGES
    assert found.differences["alexnet / plain"]["age_accuracy"].interval == (0.0, 0.0)


def test_a_sweep_without_a_complete_run_has_nothing_to_compare(tmp_path):
    write_run(tmp_path, None)
    write_run(tmp_path, None, seed=1, status="failed", error="no")
    found = analyse(read_sweep(tmp_path))
    assert (found.compared, found.num_images, found.best, found.tied("age")) == ((), 0, {}, frozenset())
    assert (found.estimates, found.differences) == ({}, {})
    assert found.pairs == {"age": [], "gender": []}
    assert found.ranks == {"age": None, "gender": None}


OTHER = {
    "other images": right_at(IMAGES, range(3), images=[f"other-{n}" for n in range(IMAGES)]),
    "fewer images": right_at(IMAGES // 2, range(3)),
    "another scheme": right_at(IMAGES, range(3), groups=age_groups("nearest").names),
}


@pytest.mark.parametrize("what", OTHER)
def test_a_configuration_on_other_images_is_scored_but_not_compared(tmp_path, what):
    told = {"alexnet": [OTHER[what]], "vgg11": [right_but_for(range(90))], "ours": [right_but_for(range(20))]}
    found = analysis_of(tmp_path, told)
    assert found.compared == ("vgg11 / plain", "ours / plain")
    assert found.best["age"] == "ours / plain"
    assert set(found.differences) == set(found.compared)
    assert [(pair.first, pair.second) for pair in found.pairs["age"]] == [found.compared]
    assert found.estimates["alexnet / plain"]["age_accuracy"].value > 0.96
    assert found.estimates["alexnet / plain"]["age_accuracy"].interval is not None


def test_seeds_on_different_images_have_no_interval(tmp_path):
    found = analysis_of(tmp_path, {"alexnet": [right_but_for(range(20)), right_at(50, range(10))]})
    accuracy = found.estimates["alexnet / plain"]["age_accuracy"]
    assert accuracy.value == pytest.approx((0.9 + 0.8) / 2)
    assert accuracy.interval is None
    assert found.compared == ()


def test_a_run_without_predictions_keeps_its_configuration_out_of_the_comparison(tmp_path):
    told = {model: [right_but_for(range(count))] * 2 for model, count in (("alexnet", 5), ("vgg11", 9), ("ours", 20))}
    sweep_of(tmp_path, told)
    (tmp_path / "alexnet" / "plain" / "1" / "predictions.csv").unlink()
    found = analyse(read_sweep(tmp_path), num_draws=100)
    assert found.compared == ("vgg11 / plain", "ours / plain")
    assert found.estimates["alexnet / plain"]["age_accuracy"].value == pytest.approx(1 - 5 / IMAGES)


def test_seeds_on_one_test_part_are_no_blocks_to_rank(tmp_path):
    told = {model: [right_but_for(range(seed)) for seed in range(6)] for model in ("alexnet", "vgg11", "ours")}
    assert analysis_of(tmp_path, told).ranks == {"age": None, "gender": None}


def over_splits(folder: Path, wrong: dict[str, list[list[int]]]) -> Analysis:
    """A sweep whose runs have so many wrong images of 200: by model, then by split, then by seed."""
    for model, of_splits in wrong.items():
        for split, counts in enumerate(of_splits):
            for seed, count in enumerate(counts):
                images = [f"{split}-{n}" for n in range(IMAGES)]
                told = right_at(IMAGES, range(count), images=images)
                path = write_run(folder, told, model=model, seed=seed, **{"data.split_seed": str(split)})
                entry = record.read(path)
                assert entry is not None
                entry.config["data"]["split_seed"] = split
                record.write(path, entry)
    return analyse(read_sweep(folder), num_draws=4_000)


def test_repeated_splits_are_compared_by_the_corrected_test_of_their_means(tmp_path):
    random = np.random.default_rng(0)
    wrong = {model: random.integers(10, 40, size=(5, 2)) for model in ("alexnet", "vgg11", "ours")}
    found = over_splits(tmp_path, {model: counts.tolist() for model, counts in wrong.items()})
    accuracies = {model: 1 - counts.mean(axis=1) / IMAGES for model, counts in wrong.items()}
    for pair in found.pairs["age"]:
        one, other = (accuracies[label.removesuffix(" / plain")] for label in (pair.first, pair.second))
        error = np.sqrt((1 / 5 + IMAGES / (7 * IMAGES - 3)) * (one - other).var(ddof=1))
        assert pair.difference.value == pytest.approx((one - other).mean())
        assert pair.p_value == pytest.approx(2 * stats.t.sf(abs(pair.difference.value) / error, 4))
    interval = found.estimates["ours / plain"]["age_accuracy"].interval
    error = np.sqrt((1 / 5 + IMAGES / (7 * IMAGES - 3)) * accuracies["ours"].var(ddof=1))
    expected = stats.t.interval(0.95, 4, loc=accuracies["ours"].mean(), scale=error)
    assert interval == pytest.approx((expected[0], min(expected[1], 1)), abs=0.02)
    ranks = found.ranks["age"]
    assert ranks is not None and ranks.num_blocks == 5
    assert ranks.p_value == pytest.approx(stats.friedmanchisquare(*accuracies.values()).pvalue)


@pytest.mark.parametrize(("num_configurations", "num_splits"), [(2, 5), (3, 4)])
def test_ranks_need_three_configurations_and_five_splits(tmp_path, num_configurations, num_splits):
    models = ("alexnet", "vgg11", "ours")[:num_configurations]
    found = over_splits(tmp_path, {model: [[10 + split] for split in range(num_splits)] for model in models})
    assert found.ranks == {"age": None, "gender": None}


def test_only_comparisons_with_the_whole_recipe_are_corrected_for(tmp_path):
    for part, wrong in (("nothing", 5), ("muon", 40), ("schedule", 9), ("flip", 60)):
        write_run(tmp_path, right_but_for(range(wrong)), without=part)
    found = analyse(read_sweep(tmp_path), num_draws=200)
    pairs = {frozenset((pair.first, pair.second)) for pair in found.pairs["age"]}
    whole = "resnet18 / plain / without=nothing"
    assert found.design.reference == whole
    assert len(pairs) == 3 and all(whole in pair for pair in pairs)
    p_values = sorted(pair.p_value for pair in found.pairs["age"])
    assert sorted(pair.adjusted for pair in found.pairs["age"]) == pytest.approx(
        sorted(multipletests(p_values, method="holm")[1])
    )
    assert found.tied("age") == {whole, "resnet18 / plain / without=schedule"}


def test_the_same_runs_give_the_same_analysis(tmp_path):
    told = {
        model: [random_predictions(10 * place + seed, IMAGES) for seed in range(5)]
        for place, model in enumerate(("alexnet", "vgg11", "ours"))
    }
    one = analysis_of(tmp_path, told)
    other = analyse(read_sweep(tmp_path), num_draws=200)
    for name in ("estimates", "differences", "compared", "num_images", "best", "pairs", "detectable"):
        assert getattr(one, name) == getattr(other, name), name


def test_a_perfect_and_a_hopeless_configuration_are_compared_without_warnings(tmp_path):
    groups = np.arange(IMAGES) % 8
    found = analysis_of(
        tmp_path, {"alexnet": [make_predictions(groups)], "vgg11": [make_predictions(groups, (groups + 4) % 8)]}
    )
    assert tied(found) == {"alexnet"}
    assert found.estimates["alexnet / plain"]["age_accuracy"].interval == (1.0, 1.0)
    assert found.estimates["vgg11 / plain"]["age_one_off_accuracy"].value == 0.0
