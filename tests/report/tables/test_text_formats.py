"""Tests of what a report says of unlike, unfinished and cut-short jobs, and of its three files and the console."""

import copy
import csv
import io
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from agegender.labels import age_groups
from agegender.records import record
from agegender.records.record import Record
from agegender.report.sections.appendix import command
from agegender.report.sections.paper_figures import group_edges
from agegender.report.tables.audit_console import print_audit
from agegender.report.tables.console import print_table
from agegender.report.tables.rows import Comparison, compare
from agegender.report.write import write_report

REASON = "RuntimeError: a|b \\| c [bold]d[/bold] <script>e</script>\nand 5% of $x_1$ & {#2} ~ ^ at C:\\tmp"
LONG = "RuntimeError: " + "word " * 60 + "/a/path/without/a/single/space/" + "x" * 90

JOB: dict[str, Any] = {
    "status": "complete",
    "name": "mine",
    "choices": {"model": "resnet18", "loss": "plain"},
    "config": {
        "trainer": {"max_epochs": 30, "limit_train_batches": 1.0, "fast_dev_run": False, "overfit_batches": 0.0},
        "data": {"batch_size": 32},
        "optimizer": {"_target_": "torch.optim.Adam", "lr": 1e-4},
        "monitor": "val/loss",
    },
    "seed": 0,
    "data": {
        "root": "UTKFace.tar",
        "fingerprint": "f" * 64,
        "image_size": 256,
        "age_groups": {"scheme": "closed"},
        "counts": {"files": 24_106, "skipped": 2, "dropped": {"exact": 3, "near": 1}, "train": 15, "val": 2, "test": 3},
        "leak_control": True,
        "split_hash": "0123456789abcdef",
    },
    "environment": {
        **{"num_devices": 1, "accelerator": "cuda", "device": "A GPU", "threads": 2},
        **{"precision": "bf16-mixed", "torch": "2.14.1"},
    },
    "num_params": 11_181_642,
    "gmacs": 2.3691,
    "time": {"fit_seconds": 1234.5, "images_per_second": 987.6},
    "test": {
        **{"age_accuracy": 0.5860123, "gender_accuracy": 0.87, "age_one_off_accuracy": 0.9},
        **{"age_balanced_accuracy": 0.5, "age_mae_years": 6.789, "mean_accuracy": 0.7},
        **{"age_confusion": [[3, 0], [1, 0]], "gender_confusion": [[2, 1], [0, 1]]},
    },
}


def job(model: str = "resnet18", loss: str = "plain", seed: int = 0, **changes: Any) -> Record:
    """A complete job; `changes` are keys with their dots as double underscores, and their other values."""
    values = copy.deepcopy(JOB) | {"choices": {"model": model, "loss": loss}, "seed": seed}
    for key, value in changes.items():
        *parents, last = key.split("__")
        node = values
        for parent in parents:
            node = node[parent]
        node[last] = value
    return Record(**values)


def failed(reason: str) -> Record:
    choices = {"model": "vgg11", "loss": "weighted"}
    return Record(status="failed", name="mine", choices=choices, config={}, seed=0, error=reason)


def table_of(*records: Record) -> Comparison:
    return compare((Path(str(number)), entry) for number, entry in enumerate(records))


def files_of(folder: Path, *records: Record) -> dict[str, str]:
    for number, entry in enumerate(records):
        record.write(folder / str(number), entry)
    write_report(folder)
    return {kind: (folder / "report" / f"table.{kind}").read_text() for kind in ("md", "csv", "tex")}


def cells(line: str) -> list[str]:
    """The cells of a Markdown row, read as GitHub does: a backslash takes the next character's meaning away."""
    found = re.findall(r"((?:\\.|[^|\\])*)\|", line.removeprefix("|"))
    return [re.sub(r"\\(.)", r"\1", cell).strip() for cell in found]


def shown(table: Comparison, width: int) -> list[str]:
    """The lines of the table itself on a terminal of this width."""
    text = io.StringIO()
    print_table(table, Console(file=text, width=width, force_terminal=True, color_system=None))
    lines = text.getvalue().splitlines()
    return lines[
        : next(index for index, line in enumerate(lines) if line.startswith(("Data: ", "Warning: ", "No job")))
    ]


def test_rows_stand_in_the_papers_order_then_by_name_loss_and_seed() -> None:
    mixed = [
        *(job("small_cnn", "weighted"), job("own_net"), job("small_cnn", "plain", 2), job("alexnet")),
        *(job("small_cnn", "plain", 1), job("another_net"), job("resnet18"), job("vgg11")),
    ]
    order = [(row["model"], row["loss"], row["seed"]) for row in table_of(*mixed).rows]
    assert order == [
        *(("alexnet", "plain", 0), ("vgg11", "plain", 0), ("resnet18", "plain", 0)),
        *(("small_cnn", "plain", 1), ("small_cnn", "plain", 2), ("small_cnn", "weighted", 0)),
        *(("another_net", "plain", 0), ("own_net", "plain", 0)),
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


@pytest.mark.parametrize(
    ("choices", "told"),
    [
        ({"optimizer": "adam", "augment": "none"}, "loss=plain optimizer=adam augment=none data.root=UTKFace.tar"),
        ({"experiment": "fast", "augment": "none"}, "model=m loss=plain experiment=fast augment=none data.root="),
        ({"trainer.max_time": "00:08:00:00"}, "++trainer.max_time=00:08:00:00 "),
        ({"optimizer.lr": "0.1"}, " optimizer.lr=0.1 "),
        ({"data.root": "/my data/UTKFace.tar"}, " 'data.root=/my data/UTKFace.tar' "),
        ({"hparams_search": "optuna", "model.dropout": "0.3"}, "model=m loss=plain model.dropout=0.3 "),
    ],
)
def test_the_command_of_a_job_repeats_it(choices: dict[str, str], told: str) -> None:
    made = job(config__data={"root": "UTKFace.tar", "image_size": 64})
    made.choices = {"model": "m", "loss": "plain", **choices}
    text = command(made)
    assert told in text and text.startswith("python train.py model=m ") and text.endswith(" seed=0 name=mine")


def test_the_command_of_a_job_is_what_it_was_composed_of() -> None:
    made = job()
    made.overrides = ["experiment=demo", "data.root='a b.tar'", "+search.trial=3", "hparams_search=optuna", "seed=1"]
    assert command(made) == "python train.py experiment=demo 'data.root='\"'\"'a b.tar'\"'\"'' seed=1"


@pytest.mark.parametrize(("scheme", "edges"), [("nearest", [0, 4, 8, 15, 23, 36, 46, 57]), ("named", [0, 60])])
def test_the_first_age_of_a_group_is_that_of_its_scheme(scheme: str, edges: list[int]) -> None:
    names = list(age_groups("nearest").names) if scheme == "nearest" else ["0-59", "60+"]
    assert group_edges(job(data__age_groups={"scheme": scheme, "names": names})) == edges


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


def test_csv_holds_every_number_in_full(tmp_path: Path) -> None:
    (row,) = csv.DictReader(io.StringIO(files_of(tmp_path, job())["csv"]))
    given = {"gmacs": 2.3691, "age_mae_years": 6.789, "fit_seconds": 1234.5, "age_accuracy": 100 * 0.5860123}
    assert {key: float(row[key]) for key in given} == given


def test_csv_holds_a_reason_as_it_is(tmp_path: Path) -> None:
    (row,) = csv.DictReader(io.StringIO(files_of(tmp_path, failed(REASON + LONG))["csv"]))
    assert row["status"] == f"failed: {REASON}{LONG}"


def test_markdown_rounds_numbers_for_people_and_shows_a_dash_where_there_is_none(tmp_path: Path) -> None:
    lines = [line for line in files_of(tmp_path, job("own_net"))["md"].splitlines() if line.startswith("|")]
    row = dict(zip(cells(lines[0]), cells(lines[2]), strict=True))
    assert (row["Age %"], row["Gender %"], row["MAE y"], row["Params M"], row["GMAC"], row["Train s"]) == (
        *("58.60", "87.00", "6.79", "11.18", "2.369"),
        f"{1234.5:.0f}",
    )
    assert row["paper"] == "-"


def test_markdown_rows_have_as_many_cells_as_titles_whatever_a_reason_holds(tmp_path: Path) -> None:
    lines = [line for line in files_of(tmp_path, job(), failed(REASON))["md"].splitlines() if line.startswith("|")]
    assert len(lines) == 4
    assert {len(cells(line)) for line in lines} == {len(cells(lines[0]))}
    assert "a|b \\| c [bold]d[/bold]" in cells(lines[2])[-1]


def test_markdown_lets_no_html_of_a_reason_through(tmp_path: Path) -> None:
    text = files_of(tmp_path, failed(REASON))["md"]
    assert "<script" not in text and "&lt;script>" in text


def test_a_long_reason_is_shortened_for_people(tmp_path: Path) -> None:
    lines = [line for line in files_of(tmp_path, failed(LONG))["md"].splitlines() if line.startswith("|")]
    status = cells(lines[2])[-1]
    assert len(status) == 120 and status.startswith("failed: RuntimeError: word word") and status.endswith("…")


def test_latex_rows_have_as_many_cells_as_titles_and_nothing_unescaped(tmp_path: Path) -> None:
    text = files_of(tmp_path, job(), failed(REASON))["tex"]
    body = [line for line in text.splitlines() if not line.startswith("%")]
    rows = [line for line in body if line.rstrip().endswith(r"\\")]
    assert len(rows) == 3
    assert len({len(re.findall(r"(?<!\\)&", row)) for row in rows}) == 1
    for row in rows:
        rest = re.sub(r"\\[a-zA-Z]+\{[<>]?\}|\\[&%$#_{}]|\\\\\s*$|\\\^\{\}|\\~\{\}", "", row).replace("&", "")
        assert not re.search(r"[%$#_{}~^\\<>]", rest), rest


def test_latex_begins_and_ends_what_it_opens(tmp_path: Path) -> None:
    text = files_of(tmp_path, job())["tex"]
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 1
    positions = [text.index(rf"\{rule}rule") for rule in ("top", "mid", "bottom")]
    assert positions == sorted(positions)


def test_a_line_break_in_a_note_does_not_leave_latexs_comment(tmp_path: Path) -> None:
    text = files_of(tmp_path, job(data__root="UTK\nFace\\end{document}.tar"))["tex"]
    before_table = text[: text.index(r"\begin{tabular}")].splitlines()
    assert all(line.startswith("%") for line in before_table)


@pytest.mark.parametrize("width", [60, 80, 120, 200])
@pytest.mark.parametrize("reason", [REASON, LONG])
def test_a_failed_jobs_reason_leaves_room_for_the_results_of_the_others(width: int, reason: str) -> None:
    lines = shown(table_of(job("small_cnn_pooled", "weighted", 7), job("densenet161", seed=11), failed(reason)), width)
    assert max(len(line.rstrip()) for line in lines) <= width
    text = "\n".join(lines)
    for needed in ("small_cnn_pooled", "weighted", "densenet161", "58.60", "(52.85)", "87.00", "failed:"):
        assert needed in text, needed


@pytest.mark.parametrize("width", [160, 200])
def test_a_failed_jobs_reason_costs_the_others_no_column_where_there_is_room_for_both(width: int) -> None:
    text = "\n".join(shown(table_of(job(), failed(LONG)), width))
    assert all(title in text for title in ("Bal. %", "1-off %", "MAE y", "Params M", "GMAC", "Train s", "Img/s"))


def test_a_wide_console_shows_the_papers_number_beside_ours() -> None:
    assert any("58.60 (58.60)" in line and "87.00 (87.40)" in line for line in shown(table_of(job()), 200))


def test_a_narrow_console_shows_the_papers_number_below_ours() -> None:
    lines = shown(table_of(job()), 60)
    ours = next(index for index, line in enumerate(lines) if "58.60" in line and "(58.60)" not in line)
    assert "(58.60)" in lines[ours + 1] and "(87.40)" in lines[ours + 1]


@pytest.mark.parametrize(("seed", "there"), [(0, False), (1, True)])
def test_the_console_shows_seeds_only_where_there_are_any_but_0(seed: int, there: bool) -> None:
    assert ("Seed" in "\n".join(shown(table_of(job(), job("alexnet", seed=seed)), 200))) is there


@pytest.mark.parametrize(("record_of", "there"), [(job("alexnet"), False), (failed("x"), True)])
def test_the_console_shows_the_status_only_where_a_job_is_not_complete(record_of: Record, there: bool) -> None:
    assert ("Status" in "\n".join(shown(table_of(job(), record_of), 200))) is there


def test_the_console_shows_every_note() -> None:
    text, table = io.StringIO(), table_of(job(), job("alexnet", data__image_size=128))
    print_table(table, Console(file=text, width=60, force_terminal=True, color_system=None))
    assert all(note in text.getvalue() for note in table.notes)


def test_an_audit_tells_counts_duplicates_leaks_and_what_was_skipped() -> None:
    found = {
        **{"root": "a[b].tar", "files": 1_205, "usable": 1_200, "scheme": "closed"},
        **{"groups": {"0-2": 300, "3-6": 900}, "genders": {"male": 600, "female": 600}, "races": {"White": 1_200}},
        "exact": {"sets": 2, "files": 5, "conflicting_sets": 1},
        "near": {"sets": 3, "files": 7, "conflicting_sets": 0},
        "crops": {"sets": 120, "files": 240, "conflicting_sets": 0},
        "disagreement": {"pairs": 4, "group": 0.25, "gender": 0.5, "years": 3.25},
        "leak": {"test": 240, "test_with_copy_elsewhere": 12},
        "split": {"leak control": {"train": 800, "left_out": 4}},
        "skipped": {f"{number}.jpg": "no [age]" for number in range(25)},
    }
    text = io.StringIO()
    print_audit(found, Console(file=text, width=200, color_system=None))
    told = " ".join(text.getvalue().split())
    for needed in (
        *("a[b].tar: 1,205 image files, 1,200 usable", "0-2 300 25.0 %", "male 600 50.0 %"),
        *(
            "of 4 pairs of identical files 25.0 % have another age group",
            "50.0 % another gender",
            "differ by 3.2 years",
        ),
        *("Byte-identical: 2 sets, 5 files; 1 sets disagree", "12 of 240 test images (5.0 %)"),
        "several crops: 120 photographs, 240 files",
        *("Split with leak control: train 800, left out 4", "19.jpg: no [age]", "... and 5 more in audit.json"),
    ):
        assert needed in told, needed
    assert "20.jpg" not in told
