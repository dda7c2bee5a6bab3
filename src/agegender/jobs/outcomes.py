"""The jobs of this process, or that it has started: how each ended, why no further one may start, and the exit code."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    `complete`, `pruned`, `skipped`, `checked`, `failed`, `refused`, `interrupted`, `not started`; or `submitted`.
    """

    folder: Path
    status: str
    reason: str | None = None


class Session:
    """The jobs of this process, in the order of their runs.

    Attributes:
        outcomes: how each ended.
        stop: why no further job may start; None while they may.
        interrupted: number of the signal that ended the jobs; None if none did.
        closing: lines that a multirun ends its output with.
    """

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.stop: str | None = None
        self.interrupted: int | None = None
        self.closing: list[str] = []

    def interrupt(self, number: int | None) -> None:
        """Start no further job, for a signal of this number came; None: none did."""
        if number is not None:
            self.interrupted, self.stop = number, "interrupted"

    def exit_code(self) -> int:
        """0 all done; 1 a job failed; 2 nothing but mistakes of the user's; 130 or 143 interrupted."""
        if self.interrupted is not None:
            return 128 + self.interrupted
        statuses = {outcome.status for outcome in self.outcomes}
        if statuses <= {"complete", "pruned", "skipped", "checked", "submitted"}:
            return 0
        return 2 if statuses <= {"refused", "not started"} else 1


session = Session()
