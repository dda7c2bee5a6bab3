"""The paper's statements, judged on runs whose answers are known."""

import json
from pathlib import Path

import numpy as np
import pytest
from made_runs import make_predictions, write_run

from agegender.records import record
from agegender.records.predictions import Predictions
from agegender.report.results import read_sweep
from agegender.report.sections.claims import (
    BASELINES,
    CONTRADICTED,
    HOLDS,
    OPEN,
    Judgement,
    judge_statements,
    statements_text,
)
from agegender.report.statistics.analysis import analyse
from agegender.report.tables.measured_cost import read_costs
from agegender.report.write import write_report

N = 400
PARAMS = {"alexnet": 57.0, "vgg11": 128.8, "resnet18": 11.2, "densenet161": 26.5, "small_cnn": 9.4}  # millions


def told(wrong: int = 20, *, older: int = 0, rest: int = 3, seed: int = 0) -> Predictions:
    """400 faces, 100 of them of 13-20, of which so many are said to be 21-32; `wrong` others are wrong too."""
    group = np.repeat([3, 4, 5, 6], 100)
    predicted = group.copy()
    predicted[np.random.default_rng(seed).permutation(100)[:older]] = 4
    predicted[100 : 100 + wrong] = rest
    return make_predictions(group, predicted)


def write(folder: Path, model: str, predictions: Predictions, **made: object) -> None:
    path = write_run(folder, predictions, model=model, **made)
    entry = record.read(path)
    assert entry is not None
    entry.num_params = int(1e6 * PARAMS[model])
    record.write(path, entry)


def judged(folder: Path) -> dict[str, Judgement]:
    sweep = read_sweep(folder)
    analysis = analyse(sweep, num_draws=200)
    return {one.statement: one for one in judge_statements(sweep, analysis, read_costs(folder))}


def verdict_on(folder: Path, what: str) -> str:
    (found,) = [one.decision for statement, one in judged(folder).items() if what in statement]
    return found


@pytest.mark.parametrize(
    ("of_small_cnn", "of_baselines", "verdict"),
    [
        (10, [90, 90, 90, 90], HOLDS),
        (10, [90, 90, 90, 11], OPEN),  # one of the four is not significant
        (40, [90, 90, 90, 10], CONTRADICTED),
        (90, [10, 10, 10, 10], CONTRADICTED),
        (20, [20, 21, 19, 20], OPEN),
    ],
)
def test_all_four_must_hold_and_one_may_contradict(tmp_path, of_small_cnn, of_baselines, verdict):
    write(tmp_path, "small_cnn", told(of_small_cnn))
    for model, wrong in zip(BASELINES, of_baselines, strict=True):
        write(tmp_path, model, told(wrong))
    assert verdict_on(tmp_path, "more accurate than each of the four at age") == verdict
    assert verdict_on(tmp_path, "more accurate than each of the four at gender") == OPEN


def test_four_planned_comparisons_are_not_corrected_for_all_pairs(tmp_path):
    write(tmp_path, "small_cnn", told(0))
    for model in BASELINES:
        write(tmp_path, model, told(8))  # p = 2 / 2**8 of each pair alone
    for number in range(8):
        write_run(tmp_path, told(90), model=f"other{number}")
    assert verdict_on(tmp_path, "more accurate than each of the four at age") == HOLDS


def test_a_contradiction_is_corrected_for_four(tmp_path):
    write(tmp_path, "small_cnn", told(7))
    for model in BASELINES[1:]:
        write(tmp_path, model, told(7))
    write(tmp_path, BASELINES[0], told(0))  # p = 2 / 2**7 alone, four times that among four
    assert verdict_on(tmp_path, "more accurate than each of the four at age") == OPEN
    for model in ("small_cnn", *BASELINES[1:]):
        write(tmp_path, model, told(9))
    assert verdict_on(tmp_path, "more accurate than each of the four at age") == CONTRADICTED


def test_a_missing_baseline_decides_nothing_but_a_contradiction(tmp_path):
    write(tmp_path, "small_cnn", told(10))
    for model in BASELINES[1:]:
        write(tmp_path, model, told(90))
    found = judged(tmp_path)["The small CNN is more accurate than each of the four at age"]
    assert found.decision == OPEN
    assert "not trained: alexnet" in found.figures
    write(tmp_path, "resnet18", told(0))
    write(tmp_path, "small_cnn", told(40))
    assert verdict_on(tmp_path, "more accurate than each of the four at age") == CONTRADICTED


def test_sizes_are_counted(tmp_path):
    for model in ("small_cnn", *BASELINES):
        write(tmp_path, model, told())
    assert verdict_on(tmp_path, "smaller") == HOLDS
    path = tmp_path / "small_cnn" / "plain" / "0"
    entry = record.read(path)
    assert entry is not None
    entry.num_params = 11_520_842  # at 256 pixels, more than ResNet18
    record.write(path, entry)
    assert verdict_on(tmp_path, "smaller") == CONTRADICTED


def write_cost(folder: Path, rates: dict[str, list[float]], size: int = 128) -> None:
    row = {"measure": f"cost of training, {size} px, batch 32", "unit": "images/s", "note": "1 parameter"}
    head = {"cores": 2, "processor": "A CPU", "gpu": None, "versions": {"torch": "2.14.1"}}
    rows = [row | {"variant": model, "values": values} for model, values in rates.items()]
    (folder / f"cost-{size}.json").write_text(json.dumps({"head": head, "settings": {}, "rows": rows}))


@pytest.mark.parametrize(
    ("alexnet", "verdict"), [([50, 60, 55], HOLDS), ([150, 160, 155], CONTRADICTED), ([90, 110, 100], OPEN)]
)
def test_a_rate_is_faster_where_every_repeat_is(tmp_path, alexnet, verdict):
    for model in ("small_cnn", *BASELINES):
        write(tmp_path, model, told())
    write_cost(
        tmp_path, {"small_cnn": [100, 101, 99], **{model: [20, 21, 22] for model in BASELINES}, "alexnet": alexnet}
    )
    assert verdict_on(tmp_path, "trains faster") == verdict


def test_without_side_by_side_measurements_nothing_is_said_of_speed(tmp_path):
    for model in ("small_cnn", *BASELINES):
        write(tmp_path, model, told())
    assert not any("faster" in statement for statement in judged(tmp_path))


@pytest.mark.parametrize(("older", "verdict"), [(70, HOLDS), (30, CONTRADICTED), (53, OPEN)])
def test_half_of_the_young_must_be_predicted_older(tmp_path, older, verdict):
    write(tmp_path, "small_cnn", told(older=older))
    write(tmp_path, "resnet18", told())
    found = judged(tmp_path)["With the plain loss over half of the faces of 13-20 are predicted older"]
    assert found.decision == verdict
    assert f"{older}.0 % of 100" in found.figures


@pytest.mark.parametrize(("older", "verdict"), [(20, HOLDS), (60, OPEN), (95, CONTRADICTED)])
def test_the_weighted_loss_must_lower_the_share(tmp_path, older, verdict):
    write(tmp_path, "small_cnn", told(older=58))
    write(tmp_path, "small_cnn", told(older=older, seed=1), loss="weighted")
    write(tmp_path, "resnet18", told())
    assert verdict_on(tmp_path, "weighted loss lowers") == verdict


@pytest.mark.parametrize(("older", "verdict"), [(20, HOLDS), (50, OPEN), (90, CONTRADICTED)])
def test_the_diagonal_must_dominate_in_every_row(tmp_path, older, verdict):
    write(tmp_path, "small_cnn", told())
    write(tmp_path, "small_cnn", told(older=older), loss="weighted")
    write(tmp_path, "resnet18", told())
    assert verdict_on(tmp_path, "the diagonal of Figure 7") == verdict


def test_nothing_is_judged_on_drawn_faces(tmp_path):
    for model in ("small_cnn", *BASELINES):
        write(tmp_path, model, told())
    for path in tmp_path.rglob("record.json"):
        path.write_text(path.read_text().replace("UTKFace.tar", "6,000 synthetic faces, seed 0"))
    sweep = read_sweep(tmp_path)
    analysis = analyse(sweep, num_draws=100)
    assert judge_statements(sweep, analysis, []) == [] and statements_text([], analysis) == ""


def test_the_report_says_the_judgements_and_where_they_hold(tmp_path):
    for model in ("small_cnn", *BASELINES):
        write(tmp_path, model, told())
    write_cost(tmp_path, {model: [100, 101, 99] for model in ("small_cnn", *BASELINES)})
    made = write_report(tmp_path)
    assert made.statements.startswith(
        "The paper's statements. At 256 pixels and 30 epochs, the paper's size and epochs. With"
    )
    assert "about these networks" in made.statements
    page = made.page.read_text()
    assert {row["images_per_second"] for row in made.table.rows} == {None}  # measured at 128 pixels, trained at 256
    assert {row["fit_seconds"] for row in made.table.rows} == {None}
    assert "statements, and whether they hold" in page and "Training rates side by side, 128 pixels" in page


def test_rates_that_were_measured_side_by_side_stand_for_those_of_the_jobs(tmp_path):
    for model in ("small_cnn", *BASELINES):
        write(tmp_path, model, told())
    write_cost(tmp_path, {model: [100, 104, 99] for model in ("small_cnn", *BASELINES)}, size=256)
    table = write_report(tmp_path).table
    assert {row["images_per_second"] for row in table.rows} == {100}
    assert any("not the jobs' own" in note for note in table.notes)
