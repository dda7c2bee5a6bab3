"""Interleaved repeats: the order of the variants, and the ratios."""

import json
from pathlib import Path

import pytest

from benchmarks import present
from benchmarks.measure import Row, compare


def rows_of(unit: str, fast: list[float], slow: list[float], **options: int) -> tuple[list[Row], list[str]]:
    """Compare two variants that return these values, and return the rows and the order of the calls."""
    calls: list[str] = []
    values = {"fast": iter(fast), "slow": iter(slow)}

    def variant(name: str):
        def timed() -> float:
            calls.append(name)
            return next(values[name])

        return timed

    rows = compare("m", {name: variant(name) for name in values}, unit=unit, base="slow", repeats=3, **options)
    return rows, calls


def test_variants_take_turns_and_nobody_is_always_first() -> None:
    _, calls = rows_of("s", [1.0] * 4, [2.0] * 4)
    assert calls == ["fast", "slow", "slow", "fast", "fast", "slow", "slow", "fast"]


def test_rounds_of_the_warm_up_do_not_count() -> None:
    rows, _ = rows_of("s", [99.0, 1.0, 2.0, 3.0], [99.0, 4.0, 5.0, 6.0])
    assert [row.values for row in rows] == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    assert rows[0].median == 2.0


def test_a_rate_is_divided_by_the_bases_rate_of_the_same_round() -> None:
    rows, _ = rows_of("images/s", [30.0, 20.0, 80.0], [10.0, 20.0, 20.0], warmup=0)
    assert rows[0].ratios == [3.0, 1.0, 4.0]
    assert rows[0].ratio == 3.0
    assert rows[1].ratio is None


def test_a_time_that_is_shorter_gives_a_ratio_above_one() -> None:
    rows, _ = rows_of("s", [1.0, 2.0, 1.0], [3.0, 3.0, 5.0], warmup=0)
    assert rows[0].ratios == [3.0, 1.5, 5.0]


def test_the_json_holds_every_value_and_where_it_was_measured(tmp_path: Path) -> None:
    rows = [Row("m", "base", "s", [2.0, 4.0]), Row("m", "ours", "s", [1.0, 2.0], [2.0, 2.0])]
    present.save(tmp_path / "m.json", present.head(), {"repeats": 2}, rows)
    saved = json.loads((tmp_path / "m.json").read_text())
    assert saved["rows"][1]["values"] == [1.0, 2.0] and saved["rows"][1]["ratio"] == 2.0
    assert saved["head"]["cores"] >= 1 and saved["head"]["versions"]["torch"]
    assert saved["settings"] == {"repeats": 2}


def test_the_table_shows_the_machine_medians_and_ratios(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [Row("fit", "base", "images/s", [20.0, 20.0]), Row("fit", "ours", "images/s", [50.0, 70.0], [2.5, 3.5])]
    present.show(present.head(), rows)
    shown = capsys.readouterr().out
    assert "cores of" in shown and "torch" in shown
    assert "3.00 x" in shown and "2.50-3.50" in shown
