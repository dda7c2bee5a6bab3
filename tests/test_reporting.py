"""Tests of rebuilding a sweep's report from what its records say."""

from pathlib import Path
from typing import Any

import pytest

from agegender import record, reporting
from agegender.data.synthetic import synthetic_folder
from agegender.record import Record


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
        a_run(tmp_path, number, {"report": {"threshold_age": age}})
    reporting.report(tmp_path)
    assert asked["threshold_age"] == 16
    reporting.report(tmp_path, threshold_age=20)
    assert asked["threshold_age"] == 20


def test_without_a_word_of_it_minors_are_younger_than_18(tmp_path: Path, asked: dict[str, Any]) -> None:
    a_run(tmp_path, 1, {})
    reporting.report(tmp_path)
    assert asked["threshold_age"] == 18


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
