import copy
import csv
import io
import re
from pathlib import Path

import pytest
from made_runs import CONFIG, ENVIRONMENT, report_without_torch
from rich.console import Console

from agegender.records import record
from agegender.records.record import Record
from agegender.report.tables.console import print_table
from agegender.report.write import write_report

NASTY = "ValueError: 50% of <script> | _x_ & $y$ #1 [bold]red[/bold] \n second line"


def complete(model: str = "resnet18", loss: str = "plain", seed: int = 0, **choices: str) -> Record:
    return Record(
        status="complete",
        name="t",
        choices={"model": model, "loss": loss, "data": "utkface", **choices},
        config=copy.deepcopy(CONFIG),
        seed=seed,
        data={
            "root": "UTKFace.tar",
            "fingerprint": "f",
            "image_size": 256,
            "age_groups": {"scheme": "closed"},
            "counts": {"files": 100, "skipped": 1, "dropped": {"exact": 2}, "train": 66, "val": 12, "test": 20},
            "leak_control": True,
            "split_hash": "abc",
        },
        environment=dict(ENVIRONMENT),
        num_params=11_181_642,
        gmacs=2.369,
        time={"fit_seconds": 12.5, "images_per_second": 100.25},
        test={
            "age_accuracy": 0.61234567,
            "gender_accuracy": 0.9,
            "age_one_off_accuracy": 0.95,
            "age_balanced_accuracy": 0.5,
            "age_mae_years": 5.125,
            "age_confusion": [[6, 1], [1, 2]],
            "gender_confusion": [[5, 0], [1, 4]],
        },
    )  # fmt: skip


def failed(error: str = NASTY) -> Record:
    return Record(
        status="failed", name="t", choices={"model": "vgg11", "loss": "plain"}, config={}, seed=0, error=error
    )


def written(folder: Path, *records: Record):
    for number, entry in enumerate(records):
        record.write(folder / str(number), entry)
    table = write_report(folder).table
    return table, {kind: (folder / "report" / f"table.{kind}").read_text() for kind in ("md", "csv", "tex")}


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_our_numbers_stand_beside_the_papers_in_full_precision(tmp_path):
    _, files = written(tmp_path, complete())
    (row,) = rows_of(files["csv"])
    assert float(row["age_accuracy"]) == pytest.approx(61.234567, abs=1e-12)
    assert (row["paper_age_accuracy"], row["paper_gender_accuracy"], row["paper_training_time"]) == (
        "58.6",
        "87.4",
        "120",
    )
    assert float(row["params_millions"]) == 11.181642
    assert row["images_per_second"] == "100.25"


@pytest.mark.parametrize(
    ("model", "loss", "age", "gender"),
    [
        ("alexnet", "plain", "55.96", "85.1"),
        ("vgg11", "plain", "57.06", "83.63"),
        ("densenet161", "plain", "59.22", "87.28"),
        ("small_cnn", "plain", "61.34", "88.67"),
        ("small_cnn", "weighted", "52.85", ""),
        ("alexnet", "weighted", "", ""),
        ("levi_hassner", "plain", "", ""),
    ],
)
def test_each_row_has_the_papers_own_numbers_or_none(tmp_path, model, loss, age, gender):
    _, files = written(tmp_path, complete(model, loss))
    (row,) = rows_of(files["csv"])
    assert (row["paper_age_accuracy"], row["paper_gender_accuracy"]) == (age, gender)


def test_a_failed_job_shows_its_reason_and_no_numbers(tmp_path):
    _, files = written(tmp_path, complete(), failed())
    row = next(row for row in rows_of(files["csv"]) if row["model"] == "vgg11")
    assert row["status"] == f"failed: {NASTY}"
    assert row["age_accuracy"] == ""


def test_a_pipe_or_a_line_break_in_a_reason_does_not_break_the_markdown_table(tmp_path):
    _, files = written(tmp_path, complete(), failed())
    lines = [line for line in files["md"].splitlines() if line.startswith("|")]
    assert len(lines) == 4  # titles, rule, two rows
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1


def test_latex_specials_in_a_reason_are_escaped(tmp_path):
    _, files = written(tmp_path, failed("50% of $x_1$ & #2"))
    body = files["tex"]
    assert r"50\% of \$x\_1\$ \& \#2" in body
    assert all(body.count(f"\\{rule}rule") == 1 for rule in ("top", "mid", "bottom"))


def test_a_begun_job_is_shown_as_not_finished(tmp_path):
    begun = failed()
    begun.status, begun.error = "running", None
    _, files = written(tmp_path, begun)
    assert rows_of(files["csv"])[0]["status"] == "begun, not finished"


def test_rows_of_different_splits_are_not_compared_silently(tmp_path):
    other = complete(seed=1)
    other.data["split_hash"] = "def"
    table, files = written(tmp_path, complete(), other)
    assert table.warnings == ["Warning: these rows come from 2 different splits; they are not comparable."]
    assert table.warnings[0] in files["md"]


def test_equal_splits_give_no_warning(tmp_path):
    table, _ = written(tmp_path, complete(), complete(seed=1))
    assert table.warnings == []


def test_a_swept_key_becomes_a_column_and_a_constant_one_does_not(tmp_path):
    jobs = [complete(**{"optimizer.lr": lr, "data.root": "x"}) for lr in ("0.1", "0.2")]
    for entry in jobs:
        entry.config["optimizer"] = {**entry.config["optimizer"], "lr": float(entry.choices["optimizer.lr"])}
    table, files = written(tmp_path, *jobs)
    assert [row["optimizer.lr"] for row in rows_of(files["csv"])] == ["0.1", "0.2"]
    assert "data.root" not in [column.key for column in table.columns]


def test_the_majority_class_is_told_from_the_confusion_matrices(tmp_path):
    table, _ = written(tmp_path, complete())
    assert "Always saying the most frequent class gives age 70.00 %, gender 50.00 %." in table.notes


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_console_table_fits_the_terminal_and_keeps_the_results(tmp_path, width):
    table, _ = written(tmp_path, complete("densenet161", "weighted"), complete("small_cnn"))
    text = io.StringIO()
    print_table(table, Console(file=text, width=width, force_terminal=True, color_system=None))
    lines = text.getvalue().splitlines()
    until = next(index for index, line in enumerate(lines) if line.startswith("Data: "))
    assert max(len(line.rstrip()) for line in lines[:until]) <= width
    shown = "\n".join(lines[:until])
    for needed in ("densenet161", "weighted", "61.23", "90.00", "61.34"):
        assert needed in shown


def test_a_reason_with_markup_is_shown_as_it_is(tmp_path):
    table, _ = written(tmp_path, failed())
    text = io.StringIO()
    print_table(table, Console(file=text, width=400, color_system=None))
    assert "<script> | _x_ & $y$ #1 [bold]red[/bold] second line" in text.getvalue()


def test_the_report_and_the_command_work_without_torch(tmp_path):
    written(tmp_path, complete())
    finished = report_without_torch(tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert "resnet18" in finished.stdout
