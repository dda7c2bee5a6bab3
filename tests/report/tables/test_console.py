"""The table on a terminal, wide and narrow."""

import io

import pytest
from made_jobs import LONG, REASON, failed, job, shown, table_of
from rich.console import Console

from agegender.records.record import Record
from agegender.report.tables.console import print_table


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
    text = io.StringIO()
    table = table_of(job(), job("alexnet", data__image_size=128))
    print_table(table, Console(file=text, width=60, force_terminal=True, color_system=None))
    assert all(note in text.getvalue() for note in table.notes)
