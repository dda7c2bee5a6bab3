"""SIGKILL at random moments of a sweep of four jobs, whose command is started again until it is done."""

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from disturbed import Attempt, Ended, find_broken_records, find_differences, find_summary, read_result
from table import Row

_SWEEP = ("model=compact_small,resnet18", "data.source.num_synthetic=200")
_ATTEMPTS = 12  # without a kill, until the sweep must be done
_PAUSE_SECONDS = 5.0  # before the next one, where jobs that outlived their launcher still train


@dataclass(frozen=True)
class Variant:
    """What is killed, of what.

    Attributes:
        name: as the table shows it.
        with_workers: the sweep's process and all that it has started, or it alone.
        overrides: of the sweep.
    """

    name: str
    with_workers: bool
    overrides: tuple[str, ...] = ()


_VARIANTS = (
    Variant("all processes", True),
    Variant("main process, 1 loader", False, ("data.num_workers=1",)),
    Variant("all processes, 1 loader", True, ("data.num_workers=1",)),
    Variant("launcher and its jobs", True, ("hydra/launcher=local",)),
    Variant("all processes", True),
    Variant("launcher alone", False, ("hydra/launcher=local",)),
)


def kill_at_random_moments(folder: Path, number: int, seed: int) -> Iterator[Row]:
    """Kill sweeps so often in all, each at moments drawn from the time that an undisturbed one takes."""
    draw = random.Random(seed)
    undisturbed = folder / "undisturbed"
    ended = Attempt(undisturbed, *_SWEEP).wait()
    assert ended.code == 0, ended.output
    expected = read_result(undisturbed)
    yield Row("undisturbed", f"{ended.seconds:.0f} s", ended.code, find_summary(ended.output) or "", None)
    sweep = 0
    while number > 0:
        variant = _VARIANTS[sweep % len(_VARIANTS)]
        disturbed = folder / f"killed-{sweep}"
        rows, is_done = _kill_until_done(disturbed, variant, draw, ended.seconds, number)
        number -= len(rows)
        differences = find_differences(expected, disturbed) if is_done else ["not done"]
        for row in rows:
            row.differences = [*(row.differences or []), *differences]
            yield row
        shutil.rmtree(disturbed)
        sweep += 1


def _kill_until_done(
    folder: Path, variant: Variant, draw: random.Random, seconds: float, most: int
) -> tuple[list[Row], bool]:
    """Kill one sweep and start it again, until it is done before its next moment; say whether it was done at all."""
    rows: list[Row] = []
    for _ in range(most + _ATTEMPTS):
        moment = draw.uniform(0, seconds) if len(rows) < most else None
        attempt = Attempt(folder, *_SWEEP, *variant.overrides)
        was_killed = moment is not None and _kill(attempt, moment, variant.with_workers)
        ended = attempt.wait()
        if rows:
            rows[-1].then = _describe(ended)
        if was_killed:
            where = f"{moment:5.1f} s"
            happened = f"{variant.name}: {_last_line(ended)}"
            rows.append(Row(where, happened, ended.code, "", find_broken_records(folder)))
        elif ended.code == 0:
            return rows, True
        else:
            if rows and "Traceback" in ended.output:
                rows[-1].differences = [*(rows[-1].differences or []), "traceback"]
            time.sleep(_PAUSE_SECONDS)
    return rows, False


def _kill(attempt: Attempt, moment: float, with_workers: bool) -> bool:
    """Send SIGKILL at a moment; say whether the process was still there."""
    with suppress(subprocess.TimeoutExpired):
        attempt.process.wait(moment)
        return False
    victims = [attempt.process.pid, *(_descendants(attempt.process.pid) if with_workers else [])]
    for pid in victims:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return True


def _descendants(pid: int) -> list[int]:
    """List the processes that a process has started, and those that these have, in sessions of their own too."""
    found = []
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):
            for child in thread.read_text().split():
                found += [int(child), *_descendants(int(child))]
    return found


def _last_line(ended: Ended) -> str:
    lines = [line.strip() for line in ended.output.splitlines() if line.strip()]
    return lines[-1][:70] if lines else "no output yet"


def _describe(ended: Ended) -> str:
    if ended.code < 0:
        return "killed again"
    return f"exit code {ended.code}: {find_summary(ended.output) or _last_line(ended)}"
