import csv
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from made_runs import make_predictions, random_predictions, report_without_torch, right_at, write_run

from agegender.cli import main
from agegender.records.predictions import Predictions
from agegender.report.write import WrittenReport, write_report

HOSTILE = "<script>alert(1)</script>"


def read_image(name: str) -> np.ndarray:
    return np.full((20, 20, 3), 128, dtype=np.uint8)


def a_sweep(folder: Path) -> None:
    for model, skill in (("small_cnn", 0.7), ("resnet18", 0.5)):
        for loss in ("plain", "weighted"):
            for seed in (1, 2):
                write_run(folder, random_predictions(seed, 200, skill=skill), model=model, loss=loss, seed=seed)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> WrittenReport:
    folder = tmp_path_factory.mktemp("sweep")
    a_sweep(folder)
    return write_report(folder, read_image=read_image)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_file_of_a_report_is_there(made: WrittenReport) -> None:
    files = {path.relative_to(made.folder).as_posix() for path in made.folder.rglob("*") if path.is_file()}
    assert {"index.html", "table.md", "table.tex", "table.csv", "runs.csv", "pairs.csv", "local/faces.html"} <= files
    assert {f"figures/{key}.png" for key in made.figures} <= files
    for key in ("confusion-age-small-cnn-plain", "confusion-gender-small-cnn-plain", "intervals-age"):
        assert {f"figures/{key}.png", f"figures/{key}.svg"} <= files


def test_a_row_per_configuration_and_a_row_per_job(made: WrittenReport) -> None:
    assert len(rows_of(made.folder / "table.csv")) == 4
    assert len(rows_of(made.folder / "runs.csv")) == 8


def test_every_pair_is_tested_for_both_tasks(made: WrittenReport) -> None:
    pairs = rows_of(made.folder / "pairs.csv")
    assert [row["task"] for row in pairs] == ["age"] * 6 + ["gender"] * 6
    for row in pairs:
        assert float(row["low"]) <= float(row["difference"]) <= float(row["high"])
        assert 0 <= float(row["p"]) <= float(row["p_holm"]) <= 1


def test_the_page_says_the_verdict_and_the_sections(made: WrittenReport) -> None:
    page = made.page.read_text()
    assert "small_cnn / plain has the highest age accuracy" in made.verdict
    for text in ("Tests", "What accuracy hides", "Under-age faces", "Cost", "Appendix", "Figure 5 of the paper"):
        assert text in page


def test_the_page_shows_no_face_and_the_local_page_does(made: WrittenReport) -> None:
    assert made.faces is not None
    assert "sample faces of each age group" in made.faces.read_text()
    assert made.faces.parent.name == "local"
    assert "Mistakes of" not in made.page.read_text()


def test_without_the_images_there_is_no_page_of_faces_and_an_earlier_one_goes(tmp_path: Path) -> None:
    a_sweep(tmp_path)
    assert write_report(tmp_path, read_image=read_image).faces is not None
    assert write_report(tmp_path).faces is None
    assert not (tmp_path / "report" / "local" / "faces.html").exists()


def test_the_same_runs_give_the_same_report_byte_for_byte(tmp_path: Path) -> None:
    a_sweep(tmp_path)
    first = {path: path.read_bytes() for path in (write_report(tmp_path).folder).rglob("*") if path.is_file()}
    second = {path: path.read_bytes() for path in (write_report(tmp_path).folder).rglob("*") if path.is_file()}
    assert first == second


def test_figures_of_runs_that_are_no_more_are_removed(tmp_path: Path) -> None:
    gone = write_run(tmp_path, right_at(50, range(5)), model="small_cnn", loss="weighted")
    write_run(tmp_path, right_at(50, range(9)), model="small_cnn")
    write_report(tmp_path)
    assert (tmp_path / "report/figures/confusion-age-small-cnn-weighted.png").exists()
    (gone / "record.json").unlink()
    write_report(tmp_path)
    assert not (tmp_path / "report/figures/confusion-age-small-cnn-weighted.png").exists()


def test_hostile_names_and_reasons_are_text(tmp_path: Path) -> None:
    images = np.array([f"{HOSTILE}{n}.jpg" for n in range(50)], dtype=object)
    write_run(tmp_path, right_at(50, range(9), images=images), model=HOSTILE, loss=HOSTILE)
    write_run(tmp_path, None, model="vgg11", status="failed", error=f"ValueError: {HOSTILE}")
    made = write_report(tmp_path, read_image=read_image)
    assert made.faces is not None
    for page in (made.page, made.faces):
        assert HOSTILE not in page.read_text()
    assert "&lt;script&gt;alert(1)" in made.page.read_text()


@pytest.mark.parametrize(
    "runs",
    [
        [],
        [None],
        [make_predictions([4])],
        [right_at(3), right_at(3, 0)],
        [make_predictions(np.arange(8)), make_predictions(np.arange(8), np.arange(8)[::-1])],
    ],
    ids=["no run", "begun", "one image", "three images of a group", "one image of each group"],
)
def test_the_smallest_sweeps_have_a_report(tmp_path: Path, runs: list[Predictions | None]) -> None:
    for number, predictions in enumerate(runs):
        write_run(tmp_path, predictions, model=f"model{number}")
    made = write_report(tmp_path, read_image=read_image)
    assert made.verdict in made.page.read_text().replace("&#39;", "'")


def test_an_image_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    def broken(name: str) -> np.ndarray:
        raise ValueError("cannot be decoded")

    write_run(tmp_path, right_at(50, range(9)))
    assert write_report(tmp_path, read_image=broken).faces is not None


def test_the_command_writes_the_report_without_torch_and_says_where(tmp_path: Path) -> None:
    a_sweep(tmp_path)
    done = report_without_torch(tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"The report: {tmp_path / 'report' / 'index.html'}" in done.stdout
    assert "small_cnn / plain has the highest age accuracy" in done.stdout


def test_numbers_of_the_csv_are_those_of_the_predictions(made: WrittenReport) -> None:
    row = next(
        row for row in rows_of(made.folder / "table.csv") if (row["model"], row["loss"]) == ("resnet18", "plain")
    )
    hits = [
        100 * float((p.group == p.group_predicted).mean())
        for p in (random_predictions(seed, 200, skill=0.5) for seed in (1, 2))
    ]
    assert float(row["age_accuracy"]) == pytest.approx(sum(hits) / 2)
    assert float(row["age_accuracy_std"]) == pytest.approx(abs(hits[0] - hits[1]) / 2**0.5)
    assert row["seeds"] == "1, 2"


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_the_latex_table_compiles_whatever_names_and_reasons_hold(made: WrittenReport, tmp_path: Path) -> None:
    write_run(tmp_path / "hostile", right_at(50, range(9)), model="a_b & 50% $x$ {#1} ~^\\")
    write_run(tmp_path / "hostile", None, model="vgg11", status="failed", error=f"ValueError: {HOSTILE} \\input{{x}} #")
    tables = [made.folder / "table.tex", write_report(tmp_path / "hostile").folder / "table.tex"]
    body = "\n".join(rf"\input{{{table}}}" for table in tables)
    (tmp_path / "all.tex").write_text(
        rf"\documentclass{{article}}\usepackage{{booktabs}}\begin{{document}}{body}\end{{document}}"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]


def test_the_command_judges_an_age_check_at_the_ages_that_it_is_given(tmp_path: Path) -> None:
    write_run(tmp_path, make_predictions([3, 4] * 20, years=[15, 30] * 20), coarse_years=False)
    assert main(["report", str(tmp_path), "--threshold-age=16", "--challenge-age=20", "--minors-passed=0.1"]) == 0
    page = (tmp_path / "report" / "index.html").read_text()
    assert "if 16 years are required" in page and "if 20 years are required" in page
    assert (tmp_path / "report/figures/threshold.svg").exists()


def test_group_classifiers_get_no_rates_at_an_age(made: WrittenReport) -> None:
    page = made.page.read_text()
    assert "no rates at 18 are given" in page
    assert "Who is taken for an adult" not in page
