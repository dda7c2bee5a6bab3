from pathlib import Path

import numpy as np
import pytest
from made_runs import right_at, write_run

from agegender import record
from agegender.report.analysis import analyse
from agegender.report.runs import Predictions, read_sweep
from agegender.report.summary import summarise
from agegender.report.verdict import BASELINES, claim, verdict

N = 400


def said(folder: Path) -> str:
    sweep = read_sweep(folder)
    analysis = analyse(sweep, num_draws=200)
    return verdict(sweep, analysis, summarise(sweep, analysis)).replace("\N{NO-BREAK SPACE}", " ")


def judged(folder: Path) -> str:
    sweep = read_sweep(folder)
    return claim(sweep, analyse(sweep, num_draws=200))


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
        "On 400 test images and a single seed, small_cnn / plain is best at age (95.00 %, 95 % interval"
    )
    assert "; significantly better than resnet18 / plain) and" in text


def test_a_lead_that_chance_explains_is_not_called_a_win(tmp_path: Path) -> None:
    write_run(tmp_path, wrong(20), model="small_cnn")
    write_run(tmp_path, wrong(22), model="resnet18")
    assert "; not significantly better than resnet18 / plain) and" in said(tmp_path)


def test_a_tie_has_no_significant_loser(tmp_path: Path) -> None:
    for model in ("small_cnn", "resnet18", "vgg11"):
        write_run(tmp_path, wrong(20), model=model)
    assert said(tmp_path).count("; not significantly better than any of the others)") == 2


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
    assert said(tmp_path).startswith("No verdict, for these rows must not be compared: not tested on the same images")


def test_complete_runs_without_predictions_get_no_verdict(tmp_path: Path) -> None:
    for model in ("small_cnn", "resnet18"):
        (write_run(tmp_path, wrong(20), model=model) / "predictions.csv").unlink()
    assert said(tmp_path) == "No verdict: no run has left predictions to test."


@pytest.mark.parametrize(
    ("of_small_cnn", "of_baselines", "told"),
    [
        (20, 150, "holds for age"),
        (150, 20, "is contradicted for age"),
        (20, 21, "is neither shown nor contradicted for age"),
    ],
)
def test_the_papers_claim_is_judged_by_the_tests(
    tmp_path: Path, of_small_cnn: int, of_baselines: int, told: str
) -> None:
    write_run(tmp_path, wrong(of_small_cnn), model="small_cnn")
    for model in BASELINES:
        write_run(tmp_path, wrong(of_baselines), model=model)
    text = judged(tmp_path)
    assert f"The paper's claim that its small CNN is more accurate than the four baselines {told}" in text
    assert "is neither shown nor contradicted for gender" in text


def test_the_claim_is_not_judged_on_drawn_faces(tmp_path: Path) -> None:
    for model in (*BASELINES, "small_cnn"):
        folder = write_run(tmp_path, wrong(20), model=model)
        entry = record.read(folder)
        assert entry is not None
        entry.data["root"] = "6,000 synthetic faces, seed 0"
        record.write(folder, entry)
    assert judged(tmp_path) == "" and said(tmp_path).startswith("On 400 test images")


def test_the_claim_is_not_judged_where_a_baseline_is_missing(tmp_path: Path) -> None:
    write_run(tmp_path, wrong(20), model="small_cnn")
    for model in BASELINES[1:]:
        write_run(tmp_path, wrong(150), model=model)
    assert judged(tmp_path) == ""


def test_the_claim_of_one_seed_is_said_to_be_about_networks_rather_than_methods(tmp_path: Path) -> None:
    for model in (*BASELINES, "small_cnn"):
        write_run(tmp_path, wrong(20), model=model)
    told = "with a single seed that is about these networks rather than their methods."
    assert judged(tmp_path).endswith(f"at 256 pixels and 30 epochs; {told}")
    for model in (*BASELINES, "small_cnn"):
        write_run(tmp_path, wrong(21), model=model, seed=1)
    assert judged(tmp_path).endswith("for gender at 256 pixels and 30 epochs.")
    assert said(tmp_path).startswith("On 400 test images and 2 seeds, ")


def test_the_best_at_age_and_at_gender_may_be_two(tmp_path: Path) -> None:
    write_run(tmp_path, wrong(20, gender=100), model="small_cnn")
    write_run(tmp_path, wrong(150), model="resnet18")
    assert "small_cnn / plain is best at age (" in said(tmp_path)
    assert "and resnet18 / plain is best at gender (100.00 %" in said(tmp_path)


def test_many_ties_are_counted_rather_than_listed(tmp_path: Path) -> None:
    write_run(tmp_path, wrong(20), model="small_cnn")
    write_run(tmp_path, wrong(200), model="vgg11")
    for number in range(5):
        write_run(tmp_path, wrong(21), model=f"model{number}")
    assert "; significantly better than 1 of the 6 others)" in said(tmp_path)
