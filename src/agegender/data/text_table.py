"""Tables in text files, as programs and spreadsheets write them: separators, byte-order marks, empty rows."""

import codecs
import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_SEPARATORS = (",", ";", "\t")
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def read_rows(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Read some columns of a table.

    The separator is the comma, semicolon or tab by which the first line contains all columns. Case and blanks around
    the columns' names do not matter. Empty rows, and a first line "sep=;" as Excel writes it, are skipped.

    Args:
        path: of the file, in UTF-8 or, with a byte-order mark, in UTF-16; bytes that are not valid UTF-8 are preserved.
        columns: names that the first line must contain.

    Returns:
        For each row, the values of these columns.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not a table, or lacks a column; the message is the reason alone.
    """
    lines = _decode(path.read_bytes())
    header, _, _ = lines.partition("\n")
    if header.strip().lower() in {f"sep={separator}" for separator in _SEPARATORS} | {"sep="}:
        _, _, lines = lines.partition("\n")
    for separator in _SEPARATORS:
        rows = csv.reader(io.StringIO(lines, newline=""), delimiter=separator)
        try:
            names = [name.strip().casefold() for name in next(rows, [])]
        except csv.Error:  # the line is not a valid row with this separator
            continue
        if all(names.count(column) == 1 for column in columns):
            return _select(rows, {column: names.index(column) for column in columns})
    raise ValueError(f"the first line does not name the columns {' and '.join(columns)} once each")


def _select(rows: Any, places: dict[str, int]) -> list[dict[str, str]]:
    selected = []
    try:
        for row in rows:
            if not any(row):
                continue
            if len(row) <= max(places.values()):
                raise ValueError(f"line {rows.line_num} has too few values")
            selected.append({column: row[place] for column, place in places.items()})
    except csv.Error as error:
        raise ValueError(str(error)) from error
    return selected


def _decode(content: bytes) -> str:
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding, errors="strict" if encoding == "utf-16" else "surrogateescape")
    except UnicodeDecodeError as error:
        raise ValueError(f"it cannot be read as {encoding.upper()}") from error
