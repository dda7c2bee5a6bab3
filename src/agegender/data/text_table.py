"""Tables in text files, as programs and spreadsheets write them: separators, byte-order marks, empty rows."""

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SEPARATORS = (",", ";", "\t")
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


@dataclass(frozen=True)
class TextTable:
    """A table as it stands in a file; nothing is converted, so "None" and "NA" stay what they are.

    Attributes:
        columns: names in the first line, without blanks around them, casefolded.
        rows: the number of each row's line in the file, from 1, and its values.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[int, list[str]], ...]

    def records(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield each row's line and its values by column, without blanks around them; "" where the row is short."""
        for line, values in self.rows:
            padded = [*values, *[""] * (len(self.columns) - len(values))]
            yield line, {column: value.strip() for column, value in zip(self.columns, padded, strict=False)}


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
    table = parse_table(path.read_bytes(), columns)
    places = {column: table.columns.index(column) for column in columns}
    selected = []
    for line, row in table.rows:
        if len(row) <= max(places.values()):
            raise ValueError(f"line {line} has too few values")
        selected.append({column: row[place] for column, place in places.items()})
    return selected


def parse_table(content: bytes, columns: Sequence[str]) -> TextTable:
    """Read a table with at least these columns, as `read_rows` does.

    Raises:
        ValueError: it is not a table, or lacks a column; the message is the reason alone.
    """
    lines = _decode(content)
    header, _, _ = lines.partition("\n")
    first_line = 1
    if header.strip().lower() in {f"sep={separator}" for separator in _SEPARATORS} | {"sep="}:
        _, _, lines = lines.partition("\n")
        first_line = 2
    for separator in _SEPARATORS:
        rows = csv.reader(io.StringIO(lines, newline=""), delimiter=separator)
        try:
            names = tuple(name.strip().casefold() for name in next(rows, []))
        except csv.Error:  # the line is not a valid row with this separator
            continue
        if all(names.count(column) == 1 for column in columns):
            return TextTable(names, tuple(_filled(rows, first_line - 1)))
    raise ValueError(f"the first line does not name the columns {' and '.join(columns)} once each")


def _filled(rows: Any, skipped_lines: int) -> Iterator[tuple[int, list[str]]]:
    try:
        for row in rows:
            if any(row):
                yield rows.line_num + skipped_lines, row
    except csv.Error as error:
        raise ValueError(str(error)) from error


def _decode(content: bytes) -> str:
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding, errors="strict" if encoding == "utf-16" else "surrogateescape")
    except UnicodeDecodeError as error:
        raise ValueError(f"it cannot be read as {encoding.upper()}") from error
