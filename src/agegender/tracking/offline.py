"""Send what was written offline to W&B: of every job of a sweep, and of its comparison."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from agegender.system.errors import InputError

_LOGS = "wandb/logs/debug-sync.*.log"  # W&B's own, below WANDB_DIR
_QUIET_SECONDS = 120  # W&B writes to the file of a live run every 15 s
# W&B keeps a run in LevelDB's log format, https://github.com/google/leveldb/blob/main/doc/log_format.md, after 7 bytes.
_FILE_HEADER, _RECORD_HEADER, _BLOCK = 7, 7, 2**15
_FULL, _FIRST, _LAST, _TYPES = 1, 2, 4, range(1, 5)


@dataclass(frozen=True)
class _Attempt:
    """A directory that an attempt at a job has written.

    Attributes:
        folder: offline-run-<time>-<id>.
        kinds: of W&B's records in its file, the complete ones.
        num_bytes: where they end; the rest cannot be read.
    """

    folder: Path
    kinds: tuple[str, ...] = ()
    num_bytes: int = 0

    @property
    def run_id(self) -> str:
        return self.folder.name.split("-", 3)[-1]

    @property
    def file(self) -> Path:
        return self.folder / f"run-{self.run_id}.wandb"

    @property
    def is_quiet(self) -> bool:
        """Whether W&B has ended it, or has not written to it for longer than it does to a live one."""
        return self.kinds[-1:] == ("exit",) or time.time() - self.file.stat().st_mtime > _QUIET_SECONDS


def sync(folder: Path, *, dry_run: bool = False) -> int:
    """Run `wandb sync` on every offline run below runs/NAME.

    A job that was interrupted has written one directory per attempt, all with one id: W&B joins those that it is given
    together, in the order of their starts. What has been sent is not sent again. Attempts that W&B cannot read keep it
    from sending the others, and one that is sent while its job runs is never sent to the end: those are left out.

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
    chosen = _choose(attempts)
    if not chosen:
        return 0
    if not dry_run:
        _mend(chosen)
    runs = [str(attempt.folder) for attempt in chosen]
    command = [sys.executable, "-m", "wandb", "sync", "--yes", *(["--dry-run"] if dry_run else []), *runs]
    earlier = set(folder.glob(_LOGS))
    environment = os.environ | {"WANDB_DIR": str(folder)}
    code = subprocess.run(command, stdin=subprocess.DEVNULL, env=environment).returncode
    failures = _failures(sorted(set(folder.glob(_LOGS)) - earlier))
    for failure in failures:
        print(f"error: W&B could not send everything: {failure}", file=sys.stderr)
    return code or int(bool(failures))


def _read(folder: Path) -> _Attempt:
    file = _Attempt(folder).file
    content = file.read_bytes() if file.is_file() else b""
    offset = end = _FILE_HEADER
    kinds, record = [], b""
    while offset + _RECORD_HEADER <= len(content):
        if (left := _BLOCK - offset % _BLOCK) < _RECORD_HEADER:
            offset += left  # no record begins there
            continue
        length, part = int.from_bytes(content[offset + 4 : offset + 6], "little"), content[offset + 6]
        begin, offset = offset + _RECORD_HEADER, offset + _RECORD_HEADER + length
        if part not in _TYPES or offset > len(content):
            break
        record = content[begin:offset] if part in (_FULL, _FIRST) else record + content[begin:offset]
        if part in (_FULL, _LAST):
            kinds.append(_kind(record))
            end = offset
    return _Attempt(folder, tuple(kinds), end)


def _kind(record: bytes) -> str:
    from google.protobuf.message import DecodeError
    from wandb.proto import wandb_internal_pb2  # half a second

    try:
        read = wandb_internal_pb2.Record.FromString(record)  # pyright: ignore[reportAttributeAccessIssue]
    except DecodeError:
        return "unreadable"  # W&B tells that
    return str(read.WhichOneof("record_type"))


def _choose(attempts: list[_Attempt]) -> list[_Attempt]:
    """Choose what can be sent now, and tell what cannot."""
    begun = [attempt for attempt in attempts if "run" in attempt.kinds]
    if len(begun) < len(attempts):
        print(f"left out: {len(attempts) - len(begun)} in which W&B has written nothing yet, or never", flush=True)
    newest = {attempt.run_id: attempt for attempt in begun}
    chosen = [attempt for attempt in begun if newest[attempt.run_id] is not attempt or attempt.is_quiet]
    if len(chosen) < len(begun):
        print(f"left out: {len(begun) - len(chosen)} still being written; send them when they have ended", flush=True)
    return chosen


def _mend(attempts: list[_Attempt]) -> None:
    """Cut off a record that was never finished, from files that nobody writes to any more."""
    for attempt in attempts:
        if rest := attempt.file.stat().st_size - attempt.num_bytes:
            print(f"{attempt.file}: the last {rest} bytes are half a record: cut off", flush=True)
            os.truncate(attempt.file, attempt.num_bytes)


def _failures(logs: list[Path]) -> list[str]:
    """Read what W&B's logs call errors; it prints not all of them."""
    told = []
    for path in logs:
        for line in path.read_text(errors="replace").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict) and entry.get("level") == "ERROR":
                told.append(f"{entry.get('msg')} ({entry.get('sync_path', path)})")
    return told
