"""The archives of published results: what is printed can be rebuilt from them, without data, torch or a GPU."""

import json
import shutil
from pathlib import Path

import pytest

from agegender.records.archive import portable
from agegender.records.record import read_runs
from agegender.report.write import write_report

RESULTS = Path(__file__).parents[1] / "results"
README = Path(__file__).parents[1] / "README.md"
ARCHIVES = sorted(path.parent for path in RESULTS.glob("*/table.md"))


@pytest.mark.parametrize("archive", ARCHIVES, ids=lambda path: path.name)
def test_rebuilding_an_archive_gives_the_published_table(archive: Path, tmp_path: Path) -> None:
    copy = tmp_path / archive.name
    shutil.copytree(archive, copy, ignore=shutil.ignore_patterns("report"))
    made = write_report(copy)
    assert (made.folder / "table.md").read_text() == (archive / "table.md").read_text()


def test_the_readme_prints_the_archived_accuracies() -> None:
    text = README.read_text()
    for _, entry in read_runs(RESULTS / "table2_cpu"):
        label = f"| {entry.choices['model']} | {entry.choices['loss']} | {entry.seed} |"
        (row,) = [line for line in text.splitlines() if line.startswith(label)]
        cells = [cell.strip(" *†") for cell in row.split("|")]
        shown = [f"{100 * entry.test[key]:.2f}" for key in ("age_accuracy", "gender_accuracy")]
        assert shown == [cells[4].split()[0], cells[5].split()[0]], label


def test_no_archive_holds_an_image_or_a_path() -> None:
    files = [path for path in RESULTS.rglob("*") if path.is_file() and "report" not in path.relative_to(RESULTS).parts]
    assert {path.suffix for path in files} <= {".json", ".xz", ".md"}
    for path in files:
        if path.suffix == ".json":
            content = json.loads(path.read_text())
            assert portable(content) == content, path
