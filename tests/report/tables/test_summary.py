import csv
import io
import statistics
from pathlib import Path

import numpy as np
import pytest
from made_runs import right_at, write_run
from rich.console import Console

from agegender.records import record
from agegender.report.results import read_sweep
from agegender.report.statistics.analysis import analyse
from agegender.report.tables import text_formats
from agegender.report.tables.console import print_table
from agegender.report.tables.rows import ComparisonTable
from agegender.report.tables.summary import compare_configurations

N = 400


def table_of(folder: Path) -> ComparisonTable:
    sweep = read_sweep(folder)
    return compare_configurations(sweep, analyse(sweep, num_draws=200))


def three_seeds(folder: Path) -> None:
    for seed, number in ((1, 20), (2, 40), (3, 60)):
        write_run(folder, right_at(N, range(number)), model="small_cnn", seed=seed)
        write_run(folder, right_at(N, range(number + 2)), model="resnet18", seed=seed)
        write_run(folder, right_at(N, range(number + 150)), model="vgg11", seed=seed)


def test_seeds_are_one_row_with_their_mean_and_standard_deviation(tmp_path: Path) -> None:
    three_seeds(tmp_path)
    table = table_of(tmp_path)
    assert [row["model"] for row in table.rows] == ["vgg11", "resnet18", "small_cnn"]
    row = table.rows[2]
    spread = table.spread(2, "age_accuracy")
    assert row["age_accuracy"] == pytest.approx(90.0)
    assert spread.deviation == pytest.approx(statistics.stdev([95, 90, 85]))
    assert row["seeds"] == "1-3"
    assert row["age_minus_paper"] == pytest.approx(90 - 61.34)


@pytest.mark.parametrize(
    ("seeds", "told"), [((0,), "0"), ((1, 2), "1, 2"), ((1, 2, 3, 7), "1-3, 7"), ((0, 2, 4, 5, 6), "0, 2, 4-6")]
)
def test_seeds_in_a_row_are_a_range(tmp_path: Path, seeds: tuple[int, ...], told: str) -> None:
    for seed in seeds:
        write_run(tmp_path, right_at(20, range(3)), seed=seed)
    assert table_of(tmp_path).rows[0]["seeds"] == told


def test_an_interval_surrounds_its_value_and_one_seed_has_no_deviation(tmp_path: Path) -> None:
    write_run(tmp_path, right_at(N, range(100)))
    spread = table_of(tmp_path).spread(0, "age_accuracy")
    assert spread.deviation is None
    assert spread.interval is not None
    low, high = spread.interval
    # A share of 0.75 of 400 has a standard error of 2.165 points.
    assert (low, high) == pytest.approx((75 - 1.96 * 2.165, 75 + 1.96 * 2.165), abs=1.0)


def test_the_best_and_who_is_not_significantly_worse_are_marked(tmp_path: Path) -> None:
    three_seeds(tmp_path)
    table = table_of(tmp_path)
    assert [table.spread(row, "age_accuracy").mark for row in range(3)] == ["", "tied", "best"]
    text = text_formats.markdown(table)
    assert "**90.00 ± 5.00**" in text
    assert "89.50 ± 5.00†" in text
    assert "\\textbf{90.00 ± 5.00}" in text_formats.latex(table)
    assert table.legend == [
        "Bold: highest. †: not significantly lower than the highest, which is not the same as equal."
    ]


def test_a_single_configuration_gets_no_mark(tmp_path: Path) -> None:
    write_run(tmp_path, right_at(N, range(100)))
    table = table_of(tmp_path)
    assert table.spread(0, "age_accuracy").mark == ""
    assert "**" not in text_formats.markdown(table)


def test_csv_holds_deviation_and_interval_in_columns_of_their_own(tmp_path: Path) -> None:
    three_seeds(tmp_path)
    rows = list(csv.DictReader(io.StringIO(text_formats.as_csv(table_of(tmp_path)))))
    assert float(rows[2]["age_accuracy_std"]) == pytest.approx(5.0)
    assert float(rows[2]["age_accuracy_low"]) < 90 < float(rows[2]["age_accuracy_high"])


def test_a_seed_that_failed_is_told_and_the_others_are_averaged(tmp_path: Path) -> None:
    write_run(tmp_path, right_at(N, range(20)), seed=1)
    write_run(tmp_path, None, seed=2, status="failed", error="RuntimeError: out of memory")
    row = table_of(tmp_path).rows[0]
    assert row["age_accuracy"] == pytest.approx(95.0)
    assert row["seeds"] == "1"
    assert row["status"] == "1 of 2 seeds complete; seed 2: failed: RuntimeError: out of memory"


def test_runs_without_predictions_keep_their_numbers_and_are_told(tmp_path: Path) -> None:
    (write_run(tmp_path, right_at(N, range(20))) / "predictions.csv").unlink()
    table = table_of(tmp_path)
    assert table.rows[0]["age_accuracy"] == pytest.approx(95.0)
    assert any("predictions.csv cannot be read" in note for note in table.notes)
    assert table.warnings == []


def test_a_run_on_other_images_is_warned_of_by_its_name(tmp_path: Path) -> None:
    for model in ("small_cnn", "vgg11"):
        write_run(tmp_path, right_at(N, range(20)), model=model)
    images = np.array([f"other{n}.jpg" for n in range(N)], dtype=object)
    write_run(tmp_path, right_at(N, range(20), images=images), model="resnet18")
    (warning,) = table_of(tmp_path).warnings
    assert warning.endswith("and so in no test: resnet18 / plain.")


def test_the_console_shows_marks_and_their_meaning(tmp_path: Path) -> None:
    three_seeds(tmp_path)
    text = io.StringIO()
    print_table(table_of(tmp_path), Console(file=text, width=200, force_terminal=True, color_system=None))
    assert "89.50†" in text.getvalue().replace(" ± 5.00", "")
    assert "†: not significantly lower than the highest" in text.getvalue()


def test_coarse_years_are_told_where_others_are_exact(tmp_path: Path) -> None:
    for loss, coarse in (("plain", True), ("dex", False)):
        folder = write_run(tmp_path, right_at(N, range(20)), loss=loss)
        entry = record.read(folder)
        assert entry is not None
        entry.coarse_years = coarse
        record.write(folder, entry)
    (note,) = [note for note in table_of(tmp_path).notes if "coarse" in note]
    assert note.endswith("not comparable: resnet18 / plain.")


def test_a_broken_record_makes_no_column_of_a_choice_that_the_others_share(tmp_path: Path) -> None:
    for seed in (1, 2):
        write_run(tmp_path, right_at(N, range(20)), seed=seed, **{"model.dropout": "0.3"})
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "record.json").write_text("{")
    table = table_of(tmp_path)
    assert len(table.rows) == 2
    assert "model.dropout" not in [column.key for column in table.columns]
