import copy
import csv
import io
import re
from pathlib import Path
from typing import Any

import pytest
from made_jobs import failed, files_of, job, table_of
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
    _, files = written(tmp_path, complete(), failed(NASTY))
    row = next(row for row in rows_of(files["csv"]) if row["model"] == "vgg11")
    assert row["status"] == f"failed: {NASTY}"
    assert row["age_accuracy"] == ""


def test_a_pipe_or_a_line_break_in_a_reason_does_not_break_the_markdown_table(tmp_path):
    _, files = written(tmp_path, complete(), failed(NASTY))
    lines = [line for line in files["md"].splitlines() if line.startswith("|")]
    assert len(lines) == 4  # titles, rule, two rows
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1


def test_latex_specials_in_a_reason_are_escaped(tmp_path):
    _, files = written(tmp_path, failed("50% of $x_1$ & #2"))
    body = files["tex"]
    assert r"50\% of \$x\_1\$ \& \#2" in body
    assert all(body.count(f"\\{rule}rule") == 1 for rule in ("top", "mid", "bottom"))


def test_a_begun_job_is_shown_as_not_finished(tmp_path):
    begun = failed(NASTY)
    begun.status = "running"
    begun.error = None
    _, files = written(tmp_path, begun)
    assert rows_of(files["csv"])[0]["status"] == "started, not finished"


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
    table, _ = written(tmp_path, failed(NASTY, loss="plain"))
    text = io.StringIO()
    print_table(table, Console(file=text, width=400, color_system=None))
    assert "<script> | _x_ & $y$ #1 [bold]red[/bold] second line" in text.getvalue()


def test_the_report_and_the_command_work_without_torch(tmp_path):
    written(tmp_path, complete())
    finished = report_without_torch(tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert "resnet18" in finished.stdout


def test_rows_stand_in_the_papers_order_then_by_name_loss_and_seed() -> None:
    mixed = [
        job("small_cnn", "weighted"),
        job("own_net"),
        job("small_cnn", "plain", 2),
        job("alexnet"),
        job("small_cnn", "plain", 1),
        job("another_net"),
        job("resnet18"),
        job("vgg11"),
    ]
    order = [(row["model"], row["loss"], row["seed"]) for row in table_of(*mixed).rows]
    assert order == [
        ("alexnet", "plain", 0),
        ("vgg11", "plain", 0),
        ("resnet18", "plain", 0),
        ("small_cnn", "plain", 1),
        ("small_cnn", "plain", 2),
        ("small_cnn", "weighted", 0),
        ("another_net", "plain", 0),
        ("own_net", "plain", 0),
    ]


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [
        ("data__fingerprint", "e" * 64, "data sets"),
        ("data__split_hash", "fedcba", "splits"),
        ("data__age_groups", {"scheme": "strict"}, "age-group schemes"),
        ("data__image_size", 128, "image sizes"),
        ("config__trainer__max_epochs", 3, "numbers of epochs"),
    ],
)
def test_rows_that_must_not_be_compared_are_warned_of(key: str, value: Any, what: str) -> None:
    told = table_of(job(), job("alexnet", **{key: value}))
    assert told.warnings == [f"Warning: these rows come from 2 different {what}; they are not comparable."]
    assert told.notes[0] == told.warnings[0]


def test_jobs_that_are_not_complete_are_no_reason_for_a_warning() -> None:
    assert table_of(job(), failed("x")).warnings == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("limit_train_batches", 1),
        ("limit_train_batches", 0.5),
        ("limit_test_batches", 3),
        ("fast_dev_run", True),
        ("fast_dev_run", 2),
        ("overfit_batches", 1),
        ("overfit_batches", 0.1),
    ],
)
def test_a_job_that_was_cut_short_is_warned_of_by_the_key(key: str, value: Any) -> None:
    (warning,) = table_of(job(**{f"config__trainer__{key}": value})).warnings
    assert f"trainer.{key} cut these runs short" in warning


@pytest.mark.parametrize(
    ("key", "value"),
    [("limit_train_batches", 1.0), ("limit_test_batches", None), ("fast_dev_run", False), ("overfit_batches", 0)],
)
def test_a_job_with_all_its_batches_is_not_warned_of(key: str, value: Any) -> None:
    assert table_of(job(**{f"config__trainer__{key}": value})).warnings == []


def test_a_job_that_ended_before_its_last_epoch_is_warned_of_unless_it_was_to_stop_early() -> None:
    cut = job("alexnet", history=[{"epoch": number} for number in range(1, 10)])
    (warning,) = table_of(job(), cut).warnings
    assert warning.startswith("Warning: 1 of 2 runs ended before their last epoch")
    cut.config["early_stopping"] = 3
    assert table_of(job(), cut).warnings == []


def test_the_data_and_the_training_are_told_below_the_table() -> None:
    data, training, hardware, *_ = table_of(job()).notes
    assert data == (
        "Data: UTKFace.tar: 24,106 files, 6 left out, 15 / 2 / 3 for training, validation and testing; closed age "
        "groups, leak control on, split 0123456789ab."
    )
    assert training == (
        "Training: 256 x 256 pixels, 30 epochs, batch 32, Adam 0.0001; tested at the best epoch by val/loss."
    )
    assert hardware == "Hardware: A GPU, bf16-mixed, torch 2.14.1."


def test_what_jobs_share_is_told_once_and_what_they_do_not_for_each() -> None:
    told = table_of(job(), job("alexnet"), job("vgg11", environment__device="Another GPU", environment__num_devices=4))
    assert [note for note in told.notes if note.startswith("Hardware")] == [
        "Hardware: A GPU, bf16-mixed, torch 2.14.1.",
        "Hardware: 4 x Another GPU, bf16-mixed, torch 2.14.1.",
    ]
    assert len([note for note in told.notes if note.startswith("Data")]) == 1


def test_synthetic_faces_are_told_to_say_nothing_of_the_paper() -> None:
    def says_so(root: str) -> bool:
        return any("nothing of the paper's claim" in note for note in table_of(job(data__root=root)).notes)

    assert says_so("6,000 synthetic faces, seed 0") and not says_so("UTKFace.tar")


def test_a_table_of_no_complete_job_says_so() -> None:
    assert table_of(failed("x")).notes[0] == "No job is complete."


def test_a_directory_without_records_gives_a_table_without_rows(tmp_path: Path) -> None:
    files = files_of(tmp_path)
    assert len(files["csv"].splitlines()) == 1 and files["csv"].startswith("model,loss,seeds,age_accuracy")
    assert "No job is complete." in files["md"]


def test_an_evaluation_that_measured_no_time_has_a_row_like_any_other() -> None:
    (row,) = table_of(job(time={})).rows
    assert row["age_accuracy"] == pytest.approx(58.60123) and row["fit_seconds"] is None


def test_a_seed_of_its_own_is_a_row_of_its_own_in_the_table_of_jobs_alone(tmp_path: Path) -> None:
    (row,) = csv.DictReader(io.StringIO(files_of(tmp_path, job(seed=3), job(seed=1))["csv"]))
    assert row["seeds"] == "1, 3"
    rows = list(csv.DictReader(io.StringIO((tmp_path / "report" / "runs.csv").read_text())))
    assert [row["seed"] for row in rows] == ["1", "3"]


def test_a_key_that_only_some_jobs_were_given_is_a_column_with_the_others_default_or_nothing(tmp_path: Path) -> None:
    choices = {"model": "resnet18", "loss": "plain", "optimizer.lr": "0.1", "model.depth": "3"}
    given = job(choices=choices, config__optimizer__lr=0.1)
    rows = list(csv.DictReader(io.StringIO(files_of(tmp_path, job(), given)["csv"])))
    assert sorted((row["optimizer.lr"], row["model.depth"]) for row in rows) == [("0.0001", ""), ("0.1", "3")]


def test_times_of_jobs_that_shared_a_gpu_are_warned_of() -> None:
    alone = [job(seed=seed) for seed in (0, 1)]
    shared = job(seed=2, time__jobs_per_gpu=3)
    assert not [line for line in table_of(*alone).warnings if "shared" in line]
    (line,) = (line for line in table_of(*alone, shared).warnings if "shared" in line)
    assert line.startswith("Warning: 1 of 3 jobs shared their GPU, 3 at a time (jobs_per_gpu)")
