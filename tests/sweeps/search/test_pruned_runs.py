from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from agegender.jobs.config import parse
from agegender.jobs.outcomes import Outcome, exit_code
from agegender.jobs.run import Job
from agegender.records import record
from agegender.records.record import Record
from agegender.report.tables.rows import compare_jobs
from agegender.sweeps.launch.local import record_final_state
from agegender.sweeps.launch.plan import PlannedJob
from agegender.system.errors import InputError


@pytest.fixture
def pruned(tmp_path: Path, composed: Callable[..., dict[str, Any]]) -> tuple[Path, dict[str, Any]]:
    """The directory of a run that was pruned after 3 of 30 epochs, and its configuration."""
    config = composed("++search.trial=5")
    history = [{"epoch": epoch, "val_loss": 1.0} for epoch in (1, 2, 3)]
    entry = Record("pruned", "n", {"model": "small_cnn", "loss": "plain"}, config, 0, history=history)
    entry.val = {"age_accuracy": 0.5}
    record.write(tmp_path, entry)
    return tmp_path, config


def test_a_pruned_run_is_not_tried_again(pruned: tuple[Path, dict[str, Any]]) -> None:
    folder, config = pruned
    assert Job(parse(config), folder).run() == "skipped"
    assert Job(parse({**config, "search": {"trial": 9}}), folder).run() == "skipped"  # another trial of the same values
    with pytest.raises(InputError, match="another configuration"):
        Job(parse({**config, "seed": 1}), folder).run()


def test_a_pruned_run_has_no_scores_in_the_table_and_says_why(pruned: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = pruned
    entry = record.read(folder)
    assert entry is not None
    [row] = compare_jobs([(folder, entry)]).rows
    assert row["status"] == "pruned after epoch 3 of 30" and "age_accuracy" not in row


def test_a_process_that_pruned_its_job_has_not_failed(pruned: tuple[Path, dict[str, Any]]) -> None:
    job = PlannedJob([], OmegaConf.create(), pruned[0], [], 30, state="running")
    record_final_state(job, 0)
    assert (job.state, job.reason) == ("pruned", None)
    assert exit_code([Outcome(pruned[0], "pruned"), Outcome(pruned[0], "complete")]) == 0
