"""The section on who is served how well: what it shows, and that it says no more than the tests."""

from pathlib import Path

import numpy as np
import pytest
from made_runs import make_predictions, random_predictions, write_run

from agegender.records import record
from agegender.records.predictions import Predictions
from agegender.report.page.document import Figure, Grid, Section
from agegender.report.results import read_sweep
from agegender.report.sections.fairness.fairness_section import fairness_section
from agegender.report.statistics.analysis import analyse


def section_of(folder: Path, *seeds: Predictions, coarse_years: bool | None = None, loss: str = "plain") -> Section:
    for seed, predictions in enumerate(seeds):
        run = write_run(folder, predictions, model="small_cnn", loss=loss, seed=seed)
        entry = record.read(run)
        assert entry is not None
        entry.coarse_years = coarse_years
        record.write(run, entry)
    sweep = read_sweep(folder)
    return fairness_section(sweep, analyse(sweep, num_draws=20))


def grid(section: Section, start: str) -> Grid:
    (found,) = [block for block in section.blocks if isinstance(block, Grid) and start in block.caption]
    return found


def text_of(section: Section) -> str:
    return " ".join(section.paragraphs)


@pytest.fixture(scope="module")
def alike(tmp_path_factory: pytest.TempPathFactory) -> Section:
    seeds = [random_predictions(seed, 600) for seed in (1, 2, 3)]
    return section_of(tmp_path_factory.mktemp("alike"), *seeds, coarse_years=True)


def test_where_all_are_served_alike_nothing_is_said_to_be_shown(alike: Section) -> None:
    assert "no slice is shown to be served worse than its own age group" in text_of(alike)
    (row,) = grid(alike, "Differences that are shown").rows
    assert [row[at].text for at in (1, 2, 4, 5)] == ["none is shown"] * 4
    assert row[3].note.startswith("not shown, p = ") and row[3].note.endswith("0 of 20 gaps shown")
    assert not [cell for row in grid(alike, "gender x race x age group").rows for cell in row if cell.mark]
    answers = [row[at].text for row in grid(alike, "Gaps of accuracy").rows for at in (5, 8)]
    assert answers == ["not shown"] * 12


def test_every_table_and_figure_is_there(alike: Section) -> None:
    captions = [block.caption for block in alike.blocks if isinstance(block, Grid)]
    assert [caption.partition(":")[0] for caption in captions] == [
        "Differences that are shown",
        "Gaps of accuracy between races and genders, points",
        "Equalized odds of the gender task by race",
        "Calibration by group",
        "small_cnn / plain (coarse years)",
        "small_cnn / plain",
    ]
    assert [block.key for block in alike.blocks if isinstance(block, Figure)] == ["age-error", "age-bias"]
    assert (alike.key, alike.title) == ("fairness", "Who is served how well")


def test_coarse_years_are_marked_and_others_are_not(alike: Section, tmp_path: Path) -> None:
    assert "Coarse years are the typical age" in text_of(alike)
    exact = section_of(tmp_path, random_predictions(1, 200), coarse_years=False)
    assert "oarse" not in text_of(exact)
    assert grid(exact, "error by true age").caption == "small_cnn / plain: error by true age"


def test_what_is_shown_is_said_and_marked(tmp_path: Path) -> None:
    # Women of the first race and of 21-32 are taken for men, and for 33-43.
    size = 1600
    gender = np.arange(size) % 2
    race = np.arange(size) // 2 % 4
    group = np.where(np.arange(size) // 8 % 2, 4, 5)
    worse = (gender == 1) & (race == 0) & (group == 4)
    predictions = make_predictions(
        group, np.where(worse, 5, group), gender=gender, gender_predicted=np.where(worse, 0, gender), race=race
    )
    section = section_of(tmp_path, predictions, coarse_years=True)
    (row,) = grid(section, "Differences that are shown").rows
    assert "White -25.0" in row[1].text and "White -25.0" in row[2].text
    assert row[3].text.startswith("50.0: female, ") and row[3].text.endswith(" above White")
    assert row[3].note.startswith("shown, p < 0.0001")
    for at in (4, 5):
        assert (row[at].text, row[at].mark) == ("female, White, 21-32", "worst")
        assert row[at].note == "0.0 % of 100, the rest 100.0 %"
    marked = [row for row in grid(section, "gender x race x age group").rows if any(cell.mark for cell in row)]
    assert [row[0].text for row in marked] == ["female, White, 21-32"]
    assert [cell.mark for cell in marked[0]] == ["", "", "worst", "", "worst", ""]


def test_images_without_a_race_have_no_equalized_odds(tmp_path: Path) -> None:
    section = section_of(tmp_path, make_predictions(np.arange(40) % 8, race=-1, gender=np.arange(40) % 2))
    assert not [block for block in section.blocks if "Equalized" in getattr(block, "caption", "")]
    assert grid(section, "Differences that are shown").rows[0][3].text == "-"
