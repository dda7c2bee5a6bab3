"""The table as Markdown, CSV and LaTeX, whatever names and reasons hold."""

import csv
import io
import re
from pathlib import Path

from made_jobs import LONG, REASON, failed, files_of, job


def cells(line: str) -> list[str]:
    """The cells of a Markdown row, read as GitHub does: a backslash takes the next character's meaning away."""
    found = re.findall(r"((?:\\.|[^|\\])*)\|", line.removeprefix("|"))
    return [re.sub(r"\\(.)", r"\1", cell).strip() for cell in found]


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
        "58.60",
        "87.00",
        "6.79",
        "11.18",
        "2.369",
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
