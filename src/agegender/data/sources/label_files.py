"""The files of labels in a folder or an archive, found by their names and read row by row."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from agegender.data.sources.base import FileSource
from agegender.data.sources.face_labels import LabelRow
from agegender.data.text_table import parse_table
from agegender.system.errors import InputError

Record = dict[str, str]


class MissingLabelsError(InputError):
    """A folder or an archive has no such file of labels."""


class LabelFiles:
    """The files of labels of a source.

    Args:
        source: the folder or archive.
        given: what `data.labels` names: a file or a folder of files, on disk or in the source; None: those in the
            source.

    Attributes:
        label: a readable name of the files, for messages.

    Raises:
        InputError: there is nothing at `given`.
    """

    def __init__(self, source: FileSource, given: str | None = None) -> None:
        self._source = source
        self._given: dict[str, Path] = {}
        self._inside = source.label_files()
        self.label = source.label
        if given is None:
            return
        path = Path(given).expanduser()
        self.label = path.name
        if path.exists():
            self._given = _files_at(path)
            return
        self._inside = [inside for inside in self._inside if _is_at(inside, given)]
        if not self._inside:
            raise InputError(
                f"data.labels={given} is neither a file on this machine nor one in {source.label}; check the path"
            )

    def image_names(self) -> list[str]:
        """Return the names of the images, sorted."""
        return self._source.names()

    def paths(self) -> list[str]:
        """Return the paths of all files of labels, sorted."""
        return sorted(self._given) if self._given else list(self._inside)

    def find(self, *patterns: str) -> list[str]:
        """Return the paths of the files whose names match a pattern such as `fold_?_data.txt`, sorted.

        Where a name is there in several folders, the one nearest to the root counts.

        Raises:
            MissingLabelsError: there is none.
        """
        matching = [path for path in self.paths() if any(_matches(path, pattern) for pattern in patterns)]
        nearest: dict[str, str] = {}
        for path in sorted(matching, key=lambda path: (path.count("/"), path)):
            nearest.setdefault(PurePosixPath(path).name.casefold(), path)
        if not nearest:
            listed = ", ".join(PurePosixPath(path).name for path in self.paths()[:3])
            raise MissingLabelsError(
                f"{self.label} has no file {' or '.join(patterns)}, which holds this set's labels"
                + (f"; it has {listed}" if listed else "")
            )
        return sorted(nearest.values())

    def has(self, *patterns: str) -> bool:
        """Whether a file's name matches one of the patterns."""
        return any(_matches(path, pattern) for path in self.paths() for pattern in patterns)

    def read(self, path: str) -> bytes:
        """Return a file's bytes."""
        if not self._given:
            return self._source.read_label_file(path)
        try:
            return self._given[path].read_bytes()
        except OSError as error:
            raise InputError(f"{self._given[path]} cannot be read ({error.strerror}); check the path") from error

    def lines(self, path: str) -> list[str]:
        """Return the lines of a text file, without a byte-order mark and without blanks at their ends."""
        text = self.read(path).decode("utf-8-sig", errors="surrogateescape")
        return [line.rstrip() for line in text.splitlines()]

    def rows(self, path: str, columns: Sequence[str], read: Callable[[Record, str], LabelRow | None]) -> list[LabelRow]:
        """Read a table with at least these columns.

        Args:
            path: of the file.
            columns: casefolded names that its first line must contain.
            read: makes a row from the values by column and the place in the file; None leaves a row out. Its
                ValueErrors name what is wrong.

        Raises:
            InputError: the file is not such a table, or a row is wrong; with file and line.
        """
        try:
            table = parse_table(self.read(path), columns)
        except ValueError as error:
            raise InputError(f"{path} is not a table of labels: {error}; check its first line") from error
        name = PurePosixPath(path).name
        records = ((f"{name}, line {line}", record) for line, record in table.records())
        return list(_read_all(records, read))


def rows_of_names(
    files: LabelFiles, pattern: "re.Pattern[str]", read: Callable[[re.Match[str]], LabelRow], *, example: str
) -> list[LabelRow]:
    """Read labels that are in the images' names.

    Args:
        files: of the set.
        pattern: of the ends of the names that hold labels; other images are left out.
        read: makes a row from a match.
        example: such a name, for the message.

    Raises:
        InputError: no image has such a name, or a name is wrong.
    """
    matches = [(name, match) for name in files.image_names() if (match := pattern.search(name))]
    if not matches:
        first = next(iter(files.image_names()), "none")
        raise InputError(f"no image of {files.label} is named such as {example}; {first} is the first; check data.root")
    rows = []
    for name, match in matches:
        try:
            rows.append(read(match))
        except ValueError as error:
            raise InputError(f"{name}: {error}") from error
    return rows


def read_records(
    records: Iterable[tuple[str, Record]], read: Callable[[Record, str], LabelRow | None]
) -> list[LabelRow]:
    """Read records that come from another kind of file than a table; arguments as for `LabelFiles.rows`."""
    return list(_read_all(records, read))


def _read_all(
    records: Iterable[tuple[str, Record]], read: Callable[[Record, str], LabelRow | None]
) -> Iterator[LabelRow]:
    for where, record in records:
        try:
            row = read(record, where)
        except ValueError as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{where}: {error}") from error
        if row is not None:
            yield row


def _matches(path: str, pattern: str) -> bool:
    return fnmatch(PurePosixPath(path).name.casefold(), pattern.casefold())


def _is_at(path: str, given: str) -> bool:
    """Whether a path inside a source is the given one, or in this folder; outer folders do not matter."""
    plain = f"/{given.strip('/')}"
    return f"/{path}".endswith(plain) or f"{plain}/" in f"/{path}"


def _files_at(path: Path) -> dict[str, Path]:
    if path.is_dir():
        return {file.relative_to(path).as_posix(): file for file in sorted(path.rglob("*")) if file.is_file()}
    return {path.name: path}
