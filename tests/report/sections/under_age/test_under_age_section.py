"""What the report says of under-age faces, from runs whose shares are known."""

from pathlib import Path

import numpy as np
from made_runs import make_predictions, write_run

from agegender.records.predictions import Predictions
from agegender.report.page.document import Cell, Figure, Grid, Section
from agegender.report.results import read_sweep
from agegender.report.sections.under_age.under_age_section import under_age_section
from agegender.report.statistics.age_limits import AgeLimits

LIMITS = AgeLimits()


def section_of(folder: Path, limits: AgeLimits = LIMITS) -> Section:
    return under_age_section(read_sweep(folder), limits)


def grid(section: Section, title: str) -> Grid:
    found = [block for block in section.blocks if isinstance(block, Grid) and title in block.caption]
    assert len(found) == 1, [block.caption for block in section.blocks if isinstance(block, Grid)]
    return found[0]


def grids(section: Section, title: str) -> int:
    return sum(title in block.caption for block in section.blocks if isinstance(block, Grid))


def shown(cell: Cell) -> str:
    return f"{cell.text} ({cell.note})" if cell.note else cell.text


def predictions_of_years(num_wrong: int) -> Predictions:
    """40 minors of 15, some of them taken for 19; 10 of 5; 60 adults of 30, 6 of them taken for 17."""
    years = np.repeat([15, 5, 30], [40, 10, 60])
    groups = np.repeat([3, 1, 4], [40, 10, 60])
    minors = np.repeat([19.0, 14.0, 5.0], [num_wrong, 40 - num_wrong, 10])
    predicted = np.concatenate([minors, np.repeat([17.0, 31.0], [6, 54])])
    return make_predictions(groups, groups, years=years, years_predicted=predicted)


def test_a_method_that_predicts_years_is_judged_at_the_threshold_and_at_the_challenge_age(tmp_path: Path) -> None:
    write_run(tmp_path, predictions_of_years(10), coarse_years=False)
    section = section_of(tmp_path)
    row = grid(section, "if 18 years are required").rows[0]
    expected = ["18", "25.0 (14.2 to 40.2, n = 40)", "20.0 (11.2 to 33.0, n = 50)", "10.0 (4.7 to 20.1, n = 60)"]
    assert [shown(cell) for cell in row[1:]] == expected  # Wilson's intervals of 10 in 40, 10 in 50, 6 in 60
    row = grid(section, "if 25 years are required").rows[0]
    assert [cell.text for cell in row[1:]] == ["25", "0.0", "0.0", "10.0"]
    assert "Of the 50 minors in the test images 10 (20 %) are younger than 13 years" in " ".join(section.paragraphs)
    assert [block.key for block in section.blocks if isinstance(block, Figure)] == ["threshold"]


def test_other_limits_are_asked_for(tmp_path: Path) -> None:
    write_run(tmp_path, predictions_of_years(10), coarse_years=False)
    assert grid(section_of(tmp_path, AgeLimits(20, 21)), "if 20 years are required").rows
    assert grids(section_of(tmp_path, AgeLimits(20, 20)), "years are required") == 1, (
        "a challenge age that is no margin"
    )
    assert "do not hold both minors and adults at 4" in " ".join(section_of(tmp_path, AgeLimits(4)).paragraphs)
    younger = section_of(tmp_path, AgeLimits(12))
    assert grid(younger, "if 12 years are required").rows[0][2].text == "-", "no minor is 13 or older"
    assert not any(isinstance(block, Figure) for block in younger.blocks)


def test_the_age_that_is_chosen_comes_from_each_runs_own_validation_part(tmp_path: Path) -> None:
    for seed, wrong in ((1, 4), (2, 0)):  # the second highest of 40 is 19, and 14
        test = predictions_of_years(10)
        validation = predictions_of_years(wrong)
        write_run(tmp_path, test, validation=validation, seed=seed, coarse_years=False)
    section = section_of(tmp_path)
    row = grid(section, "was chosen on the validation part").rows[0]
    assert shown(row[1]) == "16.5 (19.0, 14.0)"
    assert row[2].text == "12.5"  # of the test part: nobody passes above 19, 10 of 40 above 14
    said = " ".join(section.paragraphs)
    assert "Chosen on 40 faces" in said and "no readable" not in said


def test_runs_without_predictions_of_the_validation_part_are_told(tmp_path: Path) -> None:
    validation = predictions_of_years(4)
    write_run(tmp_path, predictions_of_years(10), validation=validation, seed=1, coarse_years=False)
    folder = write_run(tmp_path, predictions_of_years(10), seed=2, coarse_years=False)
    for _ in range(2):
        section = section_of(tmp_path)
        assert "no readable predictions_val.csv (1 of 2 runs" in " ".join(section.paragraphs)
        assert grids(section, "was chosen") == 0
        (folder / "predictions_val.csv").write_text("no,table\n1,2\n")


def test_too_few_minors_in_the_validation_part_choose_no_age(tmp_path: Path) -> None:
    write_run(tmp_path, predictions_of_years(10), validation=predictions_of_years(4), coarse_years=False)
    said = " ".join(section_of(tmp_path, AgeLimits(minors_passed=0.01)).paragraphs)
    assert "an age that 1 % reach, at least 99 validation faces" in said and "40 are too few" in said


def test_minors_of_the_group_are_counted_beside_its_adults(tmp_path: Path) -> None:
    predicted = [4, 4, 4, 3, 3, 3, 3, 3]
    years = [19, 19, 14, 14, 17, 17, 17, 20]
    write_run(tmp_path, make_predictions([3] * 8, predicted, years=years))
    section = section_of(tmp_path)
    row = grid(section, "predicted in an older group").rows[0]
    assert [shown(cell) for cell in row[1:]] == ["37.5 (13.7 to 69.4, n = 8)", "20.0 (3.6 to 62.4, n = 5)", "-"]
    assert "Of the 8 test images of the group 13-20, 3 show adults of 18 years or more" in section.paragraphs[0]


def test_every_loss_is_compared_with_the_plain_one_of_its_own_network(tmp_path: Path) -> None:
    group = np.full(50, 3)
    for model, loss, older in (("vgg11", "plain", 30), ("vgg11", "weighted", 20), ("resnet18", "weighted", 10)):
        predicted = np.where(np.arange(50) < older, 4, 3)
        write_run(tmp_path, make_predictions(group, predicted, years=17), model=model, loss=loss)
    rows = grid(section_of(tmp_path), "to the plain loss").rows
    assert [row[0].text for row in rows] == ["vgg11 / weighted"]
    assert [cell.text for cell in rows[0][1:]] == ["-20.0", "0.0020"] * 2 + ["-"] * 2  # McNemar, 2 / 2 ** 10


def test_p_values_are_adjusted_for_the_number_of_losses(tmp_path: Path) -> None:
    for loss, older in (("plain", 30), ("weighted", 20), ("focal", 29)):
        write_run(tmp_path, make_predictions(np.full(50, 3), np.where(np.arange(50) < older, 4, 3)), loss=loss)
    rows = grid(section_of(tmp_path), "to the plain loss").rows
    assert [(row[0].text, shown(row[2])) for row in rows] == [
        ("resnet18 / focal", "1.0000 (adjusted 1.0000)"),
        ("resnet18 / weighted", "0.0020 (adjusted 0.0039)"),
    ]


def test_differences_of_one_seed_are_of_these_networks(tmp_path: Path) -> None:
    for loss, seeds in (("plain", 2), ("weighted", 2), ("focal", 1)):
        for seed in range(seeds):
            write_run(tmp_path, make_predictions(np.full(9, 3)), loss=loss, seed=seed)
    assert (
        grid(section_of(tmp_path), "to the plain loss")
        .notes[-1]
        .startswith("resnet18 / focal: at least one side has a single seed")
    )


def test_a_configuration_of_one_seed_speaks_of_its_network_alone(tmp_path: Path) -> None:
    write_run(tmp_path, make_predictions([3, 4]), seed=1)
    assert "not the method" in " ".join(section_of(tmp_path).paragraphs)
    write_run(tmp_path, make_predictions([3, 4]), seed=2)
    assert "not the method" not in " ".join(section_of(tmp_path).paragraphs)


def test_what_else_is_swept_is_the_same_in_both_of_a_pair(tmp_path: Path) -> None:
    for augment, older in (("none", 5), ("strong", 9)):
        for loss in ("plain", "weighted"):
            predicted = np.where(np.arange(50) < older + 2 * (loss == "plain"), 4, 3)
            write_run(tmp_path, make_predictions(np.full(50, 3), predicted), loss=loss, augment=augment)
    rows = grid(section_of(tmp_path), "to the plain loss").rows
    assert [(row[0].text, row[1].text) for row in rows] == [
        ("resnet18 / weighted / augment=none", "-4.0"),
        ("resnet18 / weighted / augment=strong", "-4.0"),
    ]


def test_other_test_images_are_not_paired(tmp_path: Path) -> None:
    for loss, number in (("plain", 30), ("weighted", 31)):
        write_run(tmp_path, make_predictions(np.full(number, 3)), loss=loss)
    assert grids(section_of(tmp_path), "to the plain loss") == 0
