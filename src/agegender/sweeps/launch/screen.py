"""The progress of a running sweep: a table that is redrawn on a terminal, one line per change elsewhere."""

import logging
from collections import Counter
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table

from agegender.records.job_folder import JobFolder
from agegender.sweeps.launch.plan import PlannedJob
from agegender.system.errors import InputError

_STYLES = {
    "running": "cyan",
    "complete": "green",
    "pruned": "green",
    "skipped": "green",
    "failed": "red",
    "refused": "red",
}
_MOST_ROWS = 40  # the rest is summed up

log = logging.getLogger(__name__)


class Screen:
    """Shows the jobs of a sweep: a table that is redrawn on a terminal, one line per change elsewhere.

    Args:
        jobs: of the sweep; their states are read at each `update`.
    """

    def __init__(self, jobs: list[PlannedJob]) -> None:
        self._jobs = jobs
        self._printed: dict[int, str] = {}  # the last line of each job
        self._epochs: dict[Path, tuple[int, int]] = {}  # when a record was written, and the epochs in it
        console = Console()
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None

    def __enter__(self) -> "Screen":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def update(self) -> None:
        """Show what has changed."""
        progress = [(job, self._epoch(job) if job.state == "running" else 0) for job in self._jobs]
        if self._live is not None:
            self._live.update(_table(progress), refresh=True)
            return
        for number, (job, done) in enumerate(progress):
            line = _line(job, done)
            if self._printed.get(number, "queued") != line:
                self._printed[number] = line
                log.info("%s: %s", job.folder, line)

    def _epoch(self, job: PlannedJob) -> int:
        """Count the epochs that a job has finished; its record is read where it has changed."""
        try:
            written = JobFolder(job.folder).record.stat().st_mtime_ns
        except FileNotFoundError:
            return 0
        if self._epochs.get(job.folder, (None, 0))[0] != written:
            self._epochs[job.folder] = (written, _num_epochs(job))
        return self._epochs[job.folder][1]


def _num_epochs(job: PlannedJob) -> int:
    try:
        entry = job.read_record()
    except InputError:  # written by another version; the job itself reports it
        return 0
    return len(entry.history) if entry is not None else 0


def _line(job: PlannedJob, done: int) -> str:
    if job.state == "running":
        return f"running, epoch {min(done + 1, job.num_epochs)}/{job.num_epochs}"
    return f"{job.state} ({job.reason})" if job.reason else job.state


def _table(progress: list[tuple[PlannedJob, int]]) -> Table:
    counts = Counter(job.state for job, _ in progress)
    table = Table(title=", ".join(f"{num} {state}" for state, num in counts.items()), title_justify="left", box=None)
    table.add_column("job", overflow="fold")
    table.add_column("state", no_wrap=True)
    first = sorted(progress, key=lambda item: item[0].state != "running")  # running jobs stay visible
    for job, done in first[:_MOST_ROWS]:
        table.add_row(str(job.folder), _line(job, done), style=_STYLES.get(job.state))
    if len(progress) > _MOST_ROWS:
        table.add_row(f"and {len(progress) - _MOST_ROWS} more", "")
    return table
