"""Tests of rebuilding a sweep's report from what its records say."""

from pathlib import Path
from typing import Any

import pytest

from agegender.cli import main
from agegender.data.synthetic.folder import synthetic_folder
from agegender.records import record
from agegender.records.record import Record
from agegender.report.statistics.age_limits import AgeLimits
from agegender.sweeps import reporting


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the report is written with."""
    told: dict[str, Any] = {}
    monkeypatch.setattr(reporting, "write_report", lambda folder, **options: told.update(options))
    return told


def a_run(folder: Path, number: int, config: dict[str, Any]) -> None:
    started = f"2026-01-0{number}T00:00:00+00:00"
    record.write(folder / str(9 - number), Record("complete", "try", {}, config, number, started=started))


def test_minors_are_younger_than_the_last_run_was_told(tmp_path: Path, asked: dict[str, Any]) -> None:
    for number, age in ((1, 21.0), (2, 16.0)):
        a_run(tmp_path, number, {"report": {"threshold_age": age, "challenge_age": age + 5}})
    reporting.report(tmp_path)
    assert asked["limits"] == AgeLimits(16, 21, 0.05)
    reporting.report(tmp_path, threshold_age=20)
    assert asked["limits"] == AgeLimits(20, 21, 0.05)
    reporting.report(tmp_path, challenge_age=30, minors_passed=0.1)
    assert asked["limits"] == AgeLimits(16, 30, 0.1)


def test_without_a_word_of_it_minors_are_younger_than_18(tmp_path: Path, asked: dict[str, Any]) -> None:
    a_run(tmp_path, 1, {})
    reporting.report(tmp_path)
    assert asked["limits"] == AgeLimits(18, 25, 0.05)


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("--threshold-age=0", "--threshold-age=0: must be above 0 years"),
        ("--challenge-age=-3", "--challenge-age=-3: must be above 0 years"),
        ("--challenge-age=nan", "--challenge-age=nan: must be above 0 years"),
        ("--minors-passed=5", "--minors-passed=5: must be a share between 0 and 1"),
    ],
)
def test_an_age_check_that_makes_no_sense_is_refused(
    option: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(tmp_path), option]) == 2
    assert reason in capsys.readouterr().err


def test_synthetic_faces_are_shown_where_they_lie_and_never_drawn(tmp_path: Path, asked: dict[str, Any]) -> None:
    cache = tmp_path / "cache"
    source = {"num_synthetic": 4, "synthetic_seed": 3, "cache_dir": str(cache)}
    a_run(tmp_path / "runs", 1, {"data": {"root": None, "source": source}})
    reporting.report(tmp_path / "runs")
    assert asked["read_image"] is None and not cache.exists()
    drawn = synthetic_folder(4, 3, cache)
    reporting.report(tmp_path / "runs")
    name = next(path.name for path in drawn.iterdir() if path.suffix == ".jpg")
    assert asked["read_image"](name).shape == (200, 200, 3)
