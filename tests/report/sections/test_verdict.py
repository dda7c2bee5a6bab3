from pathlib import Path

import numpy as np
from made_runs import right_at, write_run

from agegender.records.predictions import Predictions
from agegender.report.results import read_sweep
from agegender.report.sections.verdict import verdict_sentence
from agegender.report.statistics.analysis import analyse
from agegender.report.tables.summary import compare_configurations

N = 400


def said(folder: Path) -> str:
    sweep = read_sweep(folder)
    analysis = analyse(sweep, num_draws=200)
    return verdict_sentence(sweep, analysis, compare_configurations(sweep, analysis)).replace("\N{NO-BREAK SPACE}", " ")


def wrong(number: int, gender: int = 0) -> Predictions:
    """Predictions of 400 images with so many wrong age groups and genders, the first ones."""
    genders = np.zeros(N, dtype=int)
    genders[:gender] = 1
    return right_at(N, range(number), gender=0, gender_predicted=genders)


def test_a_clear_winner_is_called_significantly_better(tmp_path: Path) -> None:
    write_run(tmp_path, wrong(20), model="small_cnn")
    write_run(tmp_path, wrong(150), model="resnet18")
    text = said(tmp_path)
    assert text.startswith(
        "On 400 test images and a single seed, small_cnn / plain has the highest age accuracy (95.00 %, 95 % interval"
    )
    assert "; significantly higher than resnet18 / plain) and" in text


def test_a_lead_that_chance_explains_is_not_called_a_win(tmp_path: Path) -> None:
    write_run(tmp_path, wrong(20), model="small_cnn")
    write_run(tmp_path, wrong(22), model="resnet18")
    assert "; not significantly higher than resnet18 / plain) and" in said(tmp_path)


def test_a_tie_has_no_significant_loser(tmp_path: Path) -> None:
    for model in ("small_cnn", "resnet18", "vgg11"):
        write_run(tmp_path, wrong(20), model=model)
    assert said(tmp_path).count("; not significantly higher than any of the others)") == 2


def test_one_configuration_is_compared_with_nothing(tmp_path: Path) -> None:
    write_run(tmp_path, wrong(20))
    assert "resnet18 / plain reaches age 95.00 %, 95 % interval" in said(tmp_path)
    assert said(tmp_path).endswith("there is nothing to compare it with.")


def test_nothing_complete_gives_no_verdict(tmp_path: Path) -> None:
    write_run(tmp_path, None)
    assert said(tmp_path) == "No run is complete, so there is nothing to compare."
    assert said(tmp_path / "nothing") == "No run is complete, so there is nothing to compare."


def test_runs_on_other_images_get_no_verdict(tmp_path: Path) -> None:
    write_run(tmp_path, wrong(20), model="small_cnn")
    write_run(tmp_path, right_at(N // 2, range(9)), model="resnet18")
    assert said(tmp_path).startswith("No verdict, as these rows must not be compared: not tested on the same images")


def test_complete_runs_without_predictions_get_no_verdict(tmp_path: Path) -> None:
    for model in ("small_cnn", "resnet18"):
        (write_run(tmp_path, wrong(20), model=model) / "predictions.csv").unlink()
    assert said(tmp_path) == "No verdict: no run has predictions to test."


def test_a_single_seed_speaks_of_networks_and_several_of_methods(tmp_path: Path) -> None:
    for model in ("small_cnn", "resnet18"):
        write_run(tmp_path, wrong(20), model=model)
    told = "With a single seed this is about these networks, not about the methods that trained them."
    assert told in said(tmp_path)
    write_run(tmp_path, wrong(21), model="small_cnn", seed=1)
    assert "As some rows have a single seed, this is about these networks" in said(tmp_path)
    write_run(tmp_path, wrong(21), model="resnet18", seed=1)
    assert "about these networks" not in said(tmp_path)
    assert said(tmp_path).startswith("On 400 test images and 2 seeds, ")


def test_the_verdict_says_which_difference_would_have_been_found(tmp_path: Path) -> None:
    write_run(tmp_path, wrong(20), model="small_cnn")
    write_run(tmp_path, wrong(40), model="resnet18")
    error = np.sqrt(0.05 * 0.95 / N)  # 20 of 400 images are right for one and wrong for the other
    points = 100 * (1.966 + 0.843) * error  # Student's t with 399 degrees of freedom
    assert f"would detect a true difference of {points:.1f} points at age with a" in said(tmp_path)


def test_an_ablation_tells_which_parts_matter(tmp_path: Path) -> None:
    for part, number in (("nothing", 20), ("muon", 80), ("flip", 22)):
        write_run(tmp_path, wrong(number), without=part)
    text = said(tmp_path)
    assert "resnet18 / plain / without=nothing reaches age 95.00 %" in text
    assert "Significantly lower at age: resnet18 / plain / without=muon." in text
    assert "No other differs significantly from it at gender." in text


def test_the_best_at_age_and_at_gender_may_be_two(tmp_path: Path) -> None:
    write_run(tmp_path, wrong(20, gender=100), model="small_cnn")
    write_run(tmp_path, wrong(150), model="resnet18")
    assert "small_cnn / plain has the highest age accuracy (" in said(tmp_path)
    assert "and resnet18 / plain the highest gender accuracy (100.00 %" in said(tmp_path)


def test_many_ties_are_counted_rather_than_listed(tmp_path: Path) -> None:
    write_run(tmp_path, wrong(20), model="small_cnn")
    write_run(tmp_path, wrong(200), model="vgg11")
    for number in range(5):
        write_run(tmp_path, wrong(21), model=f"model{number}")
    assert "; significantly higher than 1 of the 6 others)" in said(tmp_path)
