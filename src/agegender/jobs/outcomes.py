"""How jobs ended, and the exit code that follows from it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Outcome:
    """How a job ended; Hydra carries it from the job's process to the sweep, as the job's return value.

    `complete`, `pruned`, `skipped`, `checked`, `failed`, `refused`, `interrupted`, `not started`; or `submitted`.
    """

    folder: Path
    status: str
    reason: str | None = None


def exit_code(outcomes: Iterable[Outcome], interrupted: int | None = None) -> int:
    """Return 0 where all is done; 1 a job failed; 2 nothing but mistakes of the user's; 128 and a signal's number.

    Args:
        outcomes: of all jobs.
        interrupted: number of the signal that ended the jobs; None if none did.
    """
    if interrupted is not None:
        return 128 + interrupted
    statuses = {outcome.status for outcome in outcomes}
    if statuses <= {"complete", "pruned", "skipped", "checked", "submitted"}:
        return 0
    return 2 if "refused" in statuses and statuses <= {"refused", "not started"} else 1
