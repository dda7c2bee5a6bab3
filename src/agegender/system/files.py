"""Files that are whole or not there: written under another name, sent to the disk, then renamed."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: Path, *, temporary: Path | None = None) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` once the disk has all of it; on an error the former one stays.

    Without the wait for the disk a power cut can leave a file that has its name and no content.

    Args:
        path: in a directory that exists.
        temporary: written meanwhile, in the same directory; None: a name of its own, for several writers at once.
    """
    if temporary is None:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Send a directory's names to the disk; some network file systems cannot, and need not."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_atomically(path: Path, content: str | bytes, *, errors: str = "backslashreplace") -> None:
    """Write a file under a temporary name, send it to the disk and rename it: it holds the old content or the new.

    Args:
        path: its directory is made where it is missing.
        content: what to write.
        errors: how characters of a text without UTF-8 are written, as for `str.encode`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(content.encode(errors=errors) if isinstance(content, str) else content)
