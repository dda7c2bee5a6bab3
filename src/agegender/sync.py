"""Send what was written offline to W&B: of every job of a sweep, and of its comparison."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from agegender.errors import InputError

_LOGS = "wandb/logs/debug-sync.*.log"  # W&B's own, below WANDB_DIR
_QUIET_SECONDS = 120  # W&B writes to the file of a live run every 15 s
# W&B keeps a run in LevelDB's log format, https://github.com/google/leveldb/blob/main/doc/log_format.md, after 7 bytes.
_FILE_HEADER, _RECORD_HEADER, _BLOCK = 7, 7, 2**15
_FULL, _LAST, _TYPES = 1, 4, range(1, 5)


def sync(folder: Path, *, dry_run: bool = False) -> int:
    """Run `wandb sync` on every offline run below runs/NAME.

    A job that was interrupted has written one directory per attempt, all with one id: W&B joins those that it is given
    together, in the order of their starts. What has been sent is not sent again. Attempts that were killed are made
    readable first, as one that is not keeps W&B from sending the others.

    Args:
        folder: of the sweep.
        dry_run: only tell what would be sent.

    Returns:
        Exit code of `wandb sync`; 1 where it ends with 0 although its log tells of something that it could not send.

    Raises:
        InputError: there is nothing to send.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a directory; give runs/NAME")
    attempts = [_read(path) for path in sorted(folder.rglob("wandb/offline-run-*"), key=lambda path: path.name)]
    if not attempts:
        raise InputError(f"{folder} holds no offline runs of W&B; logger.mode=offline writes them")
    runs = [attempt.folder for attempt in attempts if attempt.num_records > 1]  # the first is of W&B's version
    if len(runs) < len(attempts):
        print(f"left out: {len(attempts) - len(runs)} that ended before W&B had written anything", flush=True)
    if not dry_run:
        _mend(attempts)
    command = [sys.executable, "-m", "wandb", "sync", "--yes", *(["--dry-run"] if dry_run else []), *map(str, runs)]
    if not runs:
        return 0
    begun = time.time()
    environment = os.environ | {"WANDB_DIR": str(folder)}
    code = subprocess.run(command, stdin=subprocess.DEVNULL, env=environment).returncode
    failures = _failures(folder, begun)
    for failure in failures:
        print(f"error: W&B could not send everything: {failure}", file=sys.stderr)
    return code or int(bool(failures))


@dataclass(frozen=True)
class _Attempt:
    """A directory that an attempt at a job has written.

    Attributes:
        folder: offline-run-<time>-<id>.
        num_records: complete ones in its file.
        num_bytes: where they end; the rest cannot be read.
    """

    folder: Path
    num_records: int
    num_bytes: int

    @property
    def run_id(self) -> str:
        return self.folder.name.split("-", 3)[-1]

    @property
    def file(self) -> Path:
        return self.folder / f"run-{self.run_id}.wandb"


def _read(folder: Path) -> _Attempt:
    file = _Attempt(folder, 0, 0).file
    content = file.read_bytes() if file.is_file() else b""
    offset = end = _FILE_HEADER
    num_records = 0
    while offset + _RECORD_HEADER <= len(content):
        if (left := _BLOCK - offset % _BLOCK) < _RECORD_HEADER:
            offset += left  # no record begins there
            continue
        length, kind = int.from_bytes(content[offset + 4 : offset + 6], "little"), content[offset + 6]
        offset += _RECORD_HEADER + length
        if kind not in _TYPES or offset > len(content):
            break
        if kind in (_FULL, _LAST):
            num_records, end = num_records + 1, offset
    return _Attempt(folder, num_records, end)


def _mend(attempts: list[_Attempt]) -> None:
    """Cut off a record that was never finished, from the files that no job writes to any more."""
    newest = {attempt.run_id: attempt for attempt in attempts}
    for attempt in attempts:
        if not attempt.num_records or (size := attempt.file.stat().st_size) == attempt.num_bytes:
            continue
        if newest[attempt.run_id] is not attempt or time.time() - attempt.file.stat().st_mtime > _QUIET_SECONDS:
            print(f"{attempt.file}: the last {size - attempt.num_bytes} bytes are half a record: cut off", flush=True)
            os.truncate(attempt.file, attempt.num_bytes)


def _failures(folder: Path, begun: float) -> list[str]:
    """Read what W&B's logs since a time call errors; it prints not all of them."""
    told = []
    for path in sorted(folder.glob(_LOGS)):
        if path.stat().st_mtime < begun:
            continue
        for line in path.read_text(errors="replace").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict) and entry.get("level") == "ERROR":
                told.append(f"{entry.get('msg')} ({entry.get('sync_path', path)})")
    return told
