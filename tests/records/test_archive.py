"""Archives: a report that is built from one says the same as the report of the runs."""

import json
from pathlib import Path

import pytest
from made_runs import random_predictions, report_without_torch, write_run

from agegender.cli import main
from agegender.records import record
from agegender.records.archive import archive, portable
from agegender.report.write import write_report
from agegender.system.errors import InputError


def a_sweep(folder: Path) -> None:
    for number, model in enumerate(("small_cnn", "resnet18")):
        for seed in (0, 1):
            write_run(folder, random_predictions(10 * number + seed, 300), model=model, seed=seed)


def test_a_report_from_an_archive_is_that_of_the_runs(tmp_path):
    runs = tmp_path / "runs" / "mine"
    out = tmp_path / "results" / "mine"
    a_sweep(runs)
    made = archive(runs, out)
    assert (made.num_runs, made.num_written) == (4, 4)
    files = {path.name for path in out.rglob("*") if path.is_file()}
    assert files == {"record.json", "predictions.csv.xz"}
    write_report(runs)
    done = report_without_torch(out)
    assert done.returncode == 0, done.stderr
    for name in ("table.md", "table.csv", "table.tex", "runs.csv", "pairs.csv"):
        assert (out / "report" / name).read_text() == (runs / "report" / name).read_text()


def test_jobs_are_added_as_they_complete_and_others_stay(tmp_path):
    runs = tmp_path / "runs"
    out = tmp_path / "results"
    a_sweep(runs)
    write_run(runs, None, model="vgg11")
    first = archive(runs, out)
    again = archive(runs, out)
    assert (again.num_runs, again.num_written, again.num_bytes) == (4, 0, first.num_bytes)
    other = tmp_path / "other"  # of another machine
    write_run(other, random_predictions(7, 300), model="vgg11")
    write_report(out)
    added = archive(other, out)
    assert (added.num_runs, added.num_written) == (5, 1)


def test_validation_predictions_go_along_where_years_are_exact(tmp_path):
    for loss, coarse in (("plain", True), ("dex", False)):
        folder = write_run(tmp_path / "runs", random_predictions(1, 20), loss=loss)
        (folder / "predictions_val.csv").write_text("image\n")
        entry = record.read(folder)
        assert entry is not None
        entry.coarse_years = coarse
        record.write(folder, entry)
    archive(tmp_path / "runs", tmp_path / "results")
    (found,) = (tmp_path / "results").rglob("predictions_val.csv.xz")
    assert "dex" in found.parts


def test_measurements_of_cost_go_along(tmp_path):
    a_sweep(tmp_path / "runs")
    (tmp_path / "runs" / "cost-128.json").write_text("{}")
    archive(tmp_path / "runs", tmp_path / "results")
    assert (tmp_path / "results" / "cost-128.json").read_text() == "{}"


def test_no_path_of_a_machine_is_archived(tmp_path):
    folder = write_run(tmp_path / "runs", random_predictions(1, 20))
    entry = record.read(folder)
    assert entry is not None
    entry.config["data"] |= {"root": "/scratch/me/UTKFace.tar", "source": {"cache_dir": "/scratch/me/cache"}}
    entry.data["split_file"] = str(folder / "split.csv")
    record.write(folder, entry)
    archive(tmp_path / "runs", tmp_path / "results")
    text = next((tmp_path / "results").rglob("record.json")).read_text()
    assert "/scratch" not in text and str(tmp_path) not in text
    assert json.loads(text)["config"]["data"]["root"] == "UTKFace.tar"


def test_relative_paths_and_other_text_stay():
    kept = {"a": ["UTKFace.tar", "runs/mine", "val/loss", 1.5, None], "b": "~/.cache/agegender"}
    assert portable(kept) == kept


def test_a_directory_without_a_complete_run_is_a_mistake(tmp_path, capsys):
    write_run(tmp_path / "runs", None)
    with pytest.raises(InputError, match="no complete run"):
        archive(tmp_path / "runs", tmp_path / "results")
    assert main(["archive", str(tmp_path / "nowhere"), str(tmp_path / "results")]) == 2
    assert "is not a directory" in capsys.readouterr().err


def test_an_archive_lies_apart_from_the_runs(tmp_path):
    write_run(tmp_path / "runs", random_predictions(1, 20))
    for out in ("runs", "runs/archive", "."):
        with pytest.raises(InputError, match="is inside"):
            archive(tmp_path / "runs", tmp_path / out)
    assert not list(tmp_path.rglob("*.xz"))


def test_a_directory_without_a_run_has_no_report(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == 2
    assert "holds no run" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
