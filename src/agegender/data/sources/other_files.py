"""Other kinds of files in which faces are distributed, and the message if there are no image files."""

from collections.abc import Sequence
from pathlib import PurePosixPath

_TABLE = "a table, such as one of pixel strings"
_PARQUET = "a Parquet table"
_ARRAYS = "a file of arrays"
_ARCHIVE = "an archive of an unsupported format: extract it"
_KINDS = {
    ".csv": _TABLE,
    ".tsv": _TABLE,
    ".parquet": _PARQUET,
    ".arrow": "an Arrow table",
    ".npy": _ARRAYS,
    ".npz": _ARRAYS,
    ".h5": _ARRAYS,
    ".hdf5": _ARRAYS,
    ".mat": _ARRAYS,
    ".pkl": _ARRAYS,
    ".tfrecord": "a file of records",
    ".7z": _ARCHIVE,
    ".rar": _ARCHIVE,
    ".zst": _ARCHIVE,
}
_INSIDE = (".tar", ".gz", ".tgz", ".bz2", ".tbz2", ".xz", ".txz", ".zip")
_PARQUET_SIGNATURE = b"PAR1"
EXPECTATION = "give the folder or archive of the image files themselves"


def kind_of(name: str, head: bytes = b"") -> str | None:
    """Return the kind of a file that may contain faces but is not an image file; None for any other file.

    Args:
        name: of the file.
        head: its first bytes, if known.
    """
    if head.startswith(_PARQUET_SIGNATURE):
        return _PARQUET
    return _KINDS.get(PurePosixPath(name).suffix.lower())


def explain(paths: Sequence[str]) -> str:
    """Return an addition to "no images in X": the first such file and its kind; "" if there is none."""
    kinds = {path: kind for path in paths if (kind := kind_of(path) or _kind_inside(path))}
    if not kinds:
        return ""
    first, kind = next(iter(kinds.items()))
    others = f" and {len(kinds) - 1:,} more" if len(kinds) > 1 else ""
    return f", but {first} ({kind}){others}, which is not read as images: {EXPECTATION}"


def _kind_inside(name: str) -> str | None:
    return "an archive inside: extract it" if PurePosixPath(name).suffix.lower() in _INSIDE else None
