"""Upload offline runs to W&B: those of every job of a sweep, and its comparison run."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from agegender.records.record import read_runs
from agegender.system.errors import InputError

_LOGS = "wandb/logs/debug-sync.*.log"  # written by W&B, below WANDB_DIR
_QUIET_SECONDS = 120  # W&B writes to the file of a live run every 15 s
# W&B stores a run in LevelDB's log format, https://github.com/google/leveldb/blob/main/doc/log_format.md, after its own
# header. Sizes in bytes:
_FILE_HEADER = 7
_RECORD_HEADER = 7
_BLOCK = 2**15
# Types of a record's parts:
_FULL = 1
_FIRST = 2
_LAST = 4
_TYPES = range(1, 5)


@dataclass(frozen=True)
class _Attempt:
    """The directory of one attempt at a job.

    Attributes:
        folder: offline-run-<time>-<id>.
        kinds: of the complete W&B records in its file.
        num_bytes: size of the file up to the end of the last complete record.
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
        """Whether W&B has finished the run, or has not written to it for longer than it ever pauses in a live run."""
        return self.kinds[-1:] == ("exit",) or time.time() - self.file.stat().st_mtime > _QUIET_SECONDS


def sync(folder: Path, *, dry_run: bool = False, project: str | None = None, entity: str | None = None) -> int:
    """Run `wandb sync` on every offline run below runs/NAME.

    A job that was interrupted has one directory per attempt, all with the same run id; W&B joins those that one call
    names, in the order of their starts. W&B does not upload a run twice. Two kinds of attempts are skipped: those that
    W&B cannot read, as it would then upload none, and those whose job is still running, as W&B would never upload the
    rest.

    Args:
        folder: of the sweep.
        dry_run: only print what would be uploaded.
        project: other than the runs' own.
        entity: user or team, other than the runs' own.

    Returns:
        Exit code of `wandb sync`; 1 if that is 0 although its log lists something that it could not upload.

    Raises:
        InputError: there are no offline runs.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a directory; give runs/NAME")
    attempts = [_read(path) for path in sorted(_offline_runs(folder), key=lambda path: path.name)]
    if not attempts:
        raise InputError(f"{folder} holds no offline runs of W&B; logger.wandb.mode=offline writes them")
    chosen = _choose(attempts)
    if not chosen:
        return 0
    if not dry_run:
        _remove_incomplete_records(chosen)
    runs = [str(attempt.folder) for attempt in chosen]
    options = ["--dry-run"] if dry_run else []
    options += ["--project", project] if project is not None else []
    options += ["--entity", entity] if entity is not None else []
    command = [sys.executable, "-m", "wandb", "sync", "--yes", *options, *runs]
    earlier = set(folder.glob(_LOGS))
    environment = os.environ | {"WANDB_DIR": str(folder)}
    code = subprocess.run(command, stdin=subprocess.DEVNULL, env=environment).returncode
    failures = _failures(sorted(set(folder.glob(_LOGS)) - earlier))
    for failure in failures:
        print(f"error: W&B could not upload everything: {failure}", file=sys.stderr)
    return code or int(bool(failures))


def _offline_runs(folder: Path) -> list[Path]:
    """Return the directories of offline runs below runs/NAME, and the sweep's below WANDB_DIR, if that is set."""
    found = list(folder.rglob("wandb/offline-run-*"))
    if elsewhere := os.environ.get("WANDB_DIR"):
        ids = [record.wandb_id for _, record in read_runs(folder) if record.wandb_id is not None]
        comparison = folder / "wandb_id"
        ids += [comparison.read_text().strip()] if comparison.is_file() else []
        found += [path for run_id in ids for path in Path(elsewhere).glob(f"wandb/offline-run-*-{run_id}")]
    return list({path.resolve(): path for path in found}.values())


def _read(folder: Path) -> _Attempt:
    file = _Attempt(folder).file
    content = file.read_bytes() if file.is_file() else b""
    offset = end = _FILE_HEADER
    kinds = []
    record = b""
    while offset + _RECORD_HEADER <= len(content):
        if (rest_of_block := _BLOCK - offset % _BLOCK) < _RECORD_HEADER:
            offset += rest_of_block  # too short for a header: padding
            continue
        length = int.from_bytes(content[offset + 4 : offset + 6], "little")
        part_type = content[offset + 6]
        start = offset + _RECORD_HEADER
        offset = start + length
        if part_type not in _TYPES or offset > len(content):
            break
        record = content[start:offset] if part_type in (_FULL, _FIRST) else record + content[start:offset]
        if part_type in (_FULL, _LAST):
            kinds.append(_kind(record))
            end = offset
    return _Attempt(folder, tuple(kinds), end)


def _kind(record: bytes) -> str:
    from google.protobuf.message import DecodeError
    from wandb.proto import wandb_internal_pb2  # half a second

    try:
        read = wandb_internal_pb2.Record.FromString(record)  # pyright: ignore[reportAttributeAccessIssue]
    except DecodeError:
        return "unreadable"  # W&B reports that itself
    return str(read.WhichOneof("record_type"))


def _choose(attempts: list[_Attempt]) -> list[_Attempt]:
    """Return the attempts that can be uploaded now, and print how many cannot."""
    started = [attempt for attempt in attempts if "run" in attempt.kinds]
    if len(started) < len(attempts):
        print(f"skipped: {len(attempts) - len(started)} to which W&B has written nothing yet", flush=True)
    newest = {attempt.run_id: attempt for attempt in started}
    chosen = [attempt for attempt in started if newest[attempt.run_id] is not attempt or attempt.is_quiet]
    if len(chosen) < len(started):
        num_running = len(started) - len(chosen)
        print(f"skipped: {num_running} still being written; run this again when their jobs have ended", flush=True)
    return chosen


def _remove_incomplete_records(attempts: list[_Attempt]) -> None:
    """Cut incomplete records off the ends of files to which nobody writes any more."""
    for attempt in attempts:
        if rest := attempt.file.stat().st_size - attempt.num_bytes:
            print(f"{attempt.file}: removed an incomplete record at the end, {rest} bytes", flush=True)
            os.truncate(attempt.file, attempt.num_bytes)


def _failures(logs: list[Path]) -> list[str]:
    """Return the errors in W&B's logs: it does not print all of them."""
    failures = []
    for path in logs:
        for line in path.read_text(errors="replace").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict) and entry.get("level") == "ERROR":
                failures.append(f"{entry.get('msg')} ({entry.get('sync_path', path)})")
    return failures
