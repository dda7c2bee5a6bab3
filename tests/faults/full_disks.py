"""Disks that are full at one place of a sweep: a small tmpfs, mounted where exactly that file has no room."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from disturbed import Attempt, Ended, find_broken_records, find_differences, find_leftovers, find_summary, read_result
from table import Row

# Enough faces that the predictions take more room than a record.
_SWEEP = ("model=compact_small", "data.source.num_synthetic=800")
_JOB = "runs/faults/compact_small/weighted/0"  # the second of two
_ROOM = "1g"
_CACHE_KEYS = ("data.cache_dir", "data.cache=false", "AGEGENDER_CACHE")


@dataclass(frozen=True)
class Place:
    """A directory without room.

    Attributes:
        name: of what is written there.
        folder: where the disk is mounted, relative to the sweep's.
        size: of the disk, as `mount` takes it.
        told: what the line of the error must hold.
        num_complete: jobs that must be complete before there is room.
        roomy: a directory in it that has a disk of its own, with room.
    """

    name: str
    folder: str
    size: str
    told: tuple[str, ...]
    num_complete: int
    roomy: str | None = None


_PLACES = (
    Place("drawn faces", "cache", "1m", _CACHE_KEYS, 0),
    Place("cache of pixels", "cache", "9m", _CACHE_KEYS, 0),
    Place("checkpoint, the first", f"{_JOB}/checkpoints", "8m", ("last.ckpt: No space", "free some space"), 1),
    Place("checkpoint, the second", f"{_JOB}/checkpoints", "20m", ("last.ckpt: No space", "free some space"), 1),
    Place("record", _JOB, "24k", ("record.json: No space", "free some space"), 1, "checkpoints"),
    Place("predictions", _JOB, "48k", ("predictions.csv: No space", "free some space"), 1, "checkpoints"),
    Place("report", "runs/faults/report", "200k", ("report/", "No space", "free some space"), 2),
)


def fill_disks(folder: Path) -> Iterator[Row]:
    """Run a sweep of two jobs on a disk that is full at each place, then with room there."""
    undisturbed = folder / "undisturbed-two"
    ended = Attempt(undisturbed, *_SWEEP).wait()
    assert ended.code == 0, ended.output
    expected = read_result(undisturbed)
    yield Row("undisturbed", f"{ended.seconds:.0f} s", ended.code, find_summary(ended.output) or "", None)
    for place in _PLACES:
        disturbed = folder / f"full-{place.name.replace(' ', '-').replace(',', '')}"
        with ExitStack() as mounted:
            disk = mounted.enter_context(_disk(disturbed / place.folder, place.size))
            if place.roomy is not None:
                mounted.enter_context(_disk(disk / place.roomy, _ROOM))
            full = Attempt(disturbed, *_SWEEP).wait()
            found = _judge(full, place) + find_broken_records(disturbed) + find_leftovers(disturbed)
            _make_room(disk)
            again = Attempt(disturbed, *_SWEEP).wait()
            found += find_differences(expected, disturbed) if again.code == 0 else [f"then exit code {again.code}"]
        told = "; ".join(_errors(full)).replace(f"{disturbed}/", "")
        yield Row(
            place.name,
            told or "no error told",
            full.code,
            f"exit code {again.code}: {find_summary(again.output)}",
            found,
        )


def _errors(ended: Ended) -> list[str]:
    """List the different errors that were told."""
    return list(dict.fromkeys(line for line in ended.output.splitlines() if line.startswith("error: ")))


def _judge(ended: Ended, place: Place) -> list[str]:
    """Name what is wrong with how a sweep told of a full disk."""
    errors = _errors(ended)
    found = [] if len(errors) == 1 else [f"{len(errors)} errors told"]
    found += [f"not told: {text}" for text in place.told if not any(text in error for error in errors)]
    found += [f"exit code {ended.code}"] * (ended.code != 1) + ["traceback"] * ("Traceback" in ended.output)
    num_complete = ended.output.count(": complete in ")
    return found + [f"{num_complete} jobs complete"] * (num_complete != place.num_complete)


@contextmanager
def _disk(folder: Path, size: str) -> Iterator[Path]:
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def _make_room(disk: Path) -> None:
    subprocess.run(["mount", "-o", f"remount,size={_ROOM}", str(disk)], check=True)
