"""Exit codes, by the statuses that a sweep ends with."""

import pickle
import signal
from pathlib import Path

import pytest

from agegender.jobs.outcomes import Outcome, exit_code


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([], 0),
        (["complete", "pruned", "skipped", "checked", "submitted"], 0),
        (["complete", "failed", "refused"], 1),
        (["complete", "refused"], 1),
        (["failed", "not started"], 1),
        (["interrupted"], 1),
        (["not started", "not started"], 1),
        (["refused", "refused"], 2),
        (["refused", "not started"], 2),
    ],
)
def test_the_exit_code_follows_from_how_the_jobs_ended(statuses: list[str], expected: int) -> None:
    assert exit_code([Outcome(Path("job"), status) for status in statuses]) == expected


def test_a_signal_goes_before_what_the_jobs_ended_with() -> None:
    assert exit_code([Outcome(Path("job"), "failed")], signal.SIGTERM) == 143


def test_an_outcome_can_be_sent_from_the_process_of_a_job() -> None:
    outcome = Outcome(Path("runs/job"), "failed", "ValueError: no")
    assert pickle.loads(pickle.dumps(outcome)) == outcome
