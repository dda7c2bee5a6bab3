"""What the launcher makes of Slurm's answers; on a real Slurm: `tests/slurm`."""

import json
import os
import signal
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from agegender.records import record
from agegender.records.record import Record
from agegender.sweeps.launch.plan import PlannedJob
from agegender.sweeps.launch.slurm import SlurmRun

NUMBER = "17_0"
# Answers that the job runs, once; afterwards only what is asked of ended jobs.
SQUEUE = """#!/bin/sh
case "$*" in
    *--states=all*) [ -z "{kept}" ] && exit 1; echo "{kept}";;
    *) [ -e {asked} ] || echo "17_0|RUNNING|None"; touch {asked};;
esac
"""


@pytest.fixture
def job(tmp_path: Path) -> PlannedJob:
    folder = tmp_path / "job"
    record.write(folder, Record("running", "x", {}, {}, 0))
    return PlannedJob([], OmegaConf.create(), folder, [], num_epochs=3)


@pytest.fixture
def follow(tmp_path: Path, job: PlannedJob, monkeypatch: pytest.MonkeyPatch):
    def run(*, kept: str, accounted: str = "") -> None:
        scripts = {
            "squeue": SQUEUE.format(kept=kept, asked=tmp_path / "asked"),
            "sacct": f"#!/bin/sh\necho '{accounted}'\n",
        }
        for name, script in scripts.items():
            (tmp_path / name).write_text(script)
            (tmp_path / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        (tmp_path / "jobs.json").write_text(json.dumps({str(job.folder): NUMBER}))
        sweep = SlurmRun([job], tmp_path, {"poll_seconds": 0})
        sweep.submit()
        sweep.follow()

    return run


@pytest.mark.parametrize(("kept", "accounted"), [("OUT_OF_MEMORY", ""), ("", "OUT_OF_MEMORY"), ("OUT_OF_MEMORY", "x")])
def test_a_job_that_is_gone_for_its_memory_is_told_as_such(follow, job: PlannedJob, kept: str, accounted: str) -> None:
    follow(kept=kept, accounted=accounted)
    assert job.state == "failed"
    assert "gone from the queue as OUT_OF_MEMORY; out of memory? (mem_gb asks for more" in str(job.reason)
    entry = job.read_record()
    assert entry is not None and (entry.status, entry.error) == ("failed", job.reason)


def test_a_job_that_slurm_knows_nothing_of_is_told_with_the_place_of_its_output(follow, job: PlannedJob) -> None:
    follow(kept="")
    assert job.state == "failed" and str(job.reason).startswith("gone from the queue; see ")


@pytest.mark.parametrize(("kept", "accounted"), [("CANCELLED", ""), ("", "CANCELLED by 0")])
def test_a_cancelled_job_is_interrupted_also_after_an_attempt_that_failed(
    follow, job: PlannedJob, kept: str, accounted: str
) -> None:
    record.write(job.folder, Record("failed", "x", {}, {}, 0, error="ValueError: of the attempt before"))
    follow(kept=kept, accounted=accounted)
    assert job.state == "interrupted" and "the same command resumes" in str(job.reason)


def test_a_signal_to_the_launcher_leaves_the_jobs_in_the_queue(
    follow, job: PlannedJob, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    looks = iter([None, None])

    def look(self: SlurmRun) -> None:
        if next(looks, "over") == "over":
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(SlurmRun, "_look", look)
    with caplog.at_level("INFO"):
        follow(kept="")
    assert job.state == "submitted"
    assert "scancel 17 ends them" in caplog.text
