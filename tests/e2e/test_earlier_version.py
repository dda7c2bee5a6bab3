"""Runs of an earlier version, in `earlier/`: they are evaluated, resumed, reported and predicted from.

They were made by the version whose modules still lay flat in the package: 120 drawn faces, a compact network of two
layers, Muon, a cosine schedule and flips; two complete jobs of a sweep, and one that SIGTERM ended in its 3rd epoch.
"""

import csv
import json
import shutil
from pathlib import Path

import pytest
from paths import ROOT
from shell import Shell
from warm_python import WarmPython

KEPT = ROOT / "tests" / "e2e" / "earlier"
RECIPE = (
    *("model=compact_small", "model.channels=[4,8]", "model.blocks=[0,0]", "optimizer=muon", "schedule=cosine"),
    *("augment=flip", "data.image_size=16", "trainer.precision=32-true", "name=earlier"),
)
BEGUN = "augment-flip+model.blocks-0-0+model.channels-4-8+optimizer-muon+schedule-cosine"


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory, face_cache: Path, warm: WarmPython) -> Shell:
    shell = Shell(tmp_path_factory.mktemp("earlier"), face_cache, warm)
    shutil.copytree(KEPT, shell.folder / "runs" / "earlier")
    return shell


def test_a_checkpoint_is_evaluated_to_the_same_predictions(earlier: Shell) -> None:
    run = earlier.folder / "runs" / "earlier" / "compact_small" / "ldl" / "1"
    finished = earlier.evaluate(f"ckpt_path={run / 'checkpoints' / 'best.ckpt'}", f"output_dir={earlier.folder}/out")
    assert finished.code == 0, finished.output
    before, now = (
        list(csv.DictReader(path.read_text().splitlines()))
        for path in (run / "predictions.csv", earlier.folder / "out" / "predictions.csv")
    )
    assert [row["image"] for row in now] == [row["image"] for row in before]
    for one, other in zip(before, now, strict=True):
        for key in one:
            if key.startswith("p_") or key == "years_predicted":
                assert float(other[key]) == pytest.approx(float(one[key]), abs=1e-3)


def test_the_same_sweep_skips_what_is_complete(earlier: Shell) -> None:
    finished = earlier.train("-m", *RECIPE, "loss=plain,ldl", "seed=1")
    assert finished.code == 0, finished.output
    assert "2 jobs: 2 complete before, skipped." in finished.output


def test_a_begun_run_resumes_where_it_lies(earlier: Shell) -> None:
    folder = f"earlier/compact_small/plain/2/{BEGUN}"
    before = len(earlier.record(folder)["history"])
    finished = earlier.train(*RECIPE, "loss=plain", "seed=2", "trainer.max_epochs=40")
    assert finished.code == 0, finished.output
    assert f"{folder}: resuming from its last checkpoint" in finished.output
    record = earlier.record(folder)
    assert record["status"] == "complete" and record["time"]["resumed"]
    assert 0 < before < len(record["history"]) == 40


def test_a_report_reads_the_runs(earlier: Shell) -> None:
    finished = earlier.agegender("report", "runs/earlier")
    assert finished.code == 0, finished.output
    rows = list(csv.DictReader((earlier.folder / "runs/earlier/report/table.csv").read_text().splitlines()))
    assert {row["loss"] for row in rows} == {"plain", "ldl"}


def test_faces_are_predicted_by_a_checkpoint(earlier: Shell) -> None:
    images = Path(earlier.environment["AGEGENDER_CACHE"]) / "synthetic-120-0-v1"
    finished = earlier.agegender("predict", "runs/earlier/compact_small/plain/1/checkpoints/best.ckpt", str(images))
    assert finished.code == 0, finished.output
    assert len(finished.output.splitlines()) == 1 + 120


def test_the_kept_runs_hold_no_path_of_a_machine() -> None:
    for path in KEPT.rglob("*.json"):
        assert not json.loads(path.read_text())["config"]["data"]["source"]["cache_dir"].startswith("/")
