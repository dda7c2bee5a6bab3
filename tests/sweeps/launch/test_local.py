import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from agegender.sweeps.launch.local import LocalRun, make_slots
from agegender.sweeps.launch.plan import PlannedJob
from agegender.system.errors import InputError


def test_each_gpu_has_one_job_unless_asked() -> None:
    slots = make_slots(None, 1, ["0", "3"], range(8))
    assert [slot.gpu for slot in slots] == ["0", "3"]
    assert [slot.environment()["CUDA_VISIBLE_DEVICES"] for slot in slots] == ["0", "3"]
    assert [slot.gpu for slot in make_slots(None, 2, ["0", "3"], range(8))] == ["0", "3", "0", "3"]
    with pytest.raises(InputError, match=r"n_jobs=3: this machine has 2 GPUs with jobs_per_gpu=1; choose at most 2"):
        make_slots(3, 1, ["0", "3"], range(8))


@pytest.mark.parametrize(("n_jobs", "num_cores"), [(1, 8), (2, 8), (3, 8), (8, 8)])
def test_jobs_on_the_cpu_share_no_core(n_jobs: int, num_cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    slots = make_slots(n_jobs, 1, [], range(num_cores))
    used = [core for slot in slots for core in slot.cores]
    assert len(used) == len(set(used)) and len(slots) == n_jobs
    assert {len(slot.cores) for slot in slots} == {num_cores // n_jobs}
    assert slots[0].environment() == {"OMP_NUM_THREADS": str(num_cores // n_jobs), "CUDA_VISIBLE_DEVICES": ""}


def test_more_gpus_than_cores_share_the_cores() -> None:
    slots = make_slots(None, 2, [str(number) for number in range(3)], [4, 5, 6, 7])
    assert [slot.cores for slot in slots] == [(4,), (5,), (6,), (7,), (4,), (5,)]


def test_without_a_gpu_one_job_runs_at_a_time_unless_asked() -> None:
    assert len(make_slots(None, 1, [], range(4))) == 1


@pytest.mark.parametrize(("n_jobs", "jobs_per_gpu"), [(0, 1), (-1, 1), (1, 0)])
def test_a_number_of_jobs_below_one_is_told(n_jobs: int, jobs_per_gpu: int) -> None:
    with pytest.raises(InputError, match="must be 1 or more"):
        make_slots(n_jobs, jobs_per_gpu, [], range(4))


def planned(folder: Path, program: str) -> PlannedJob:
    return PlannedJob([], OmegaConf.create(), folder, [sys.executable, "-c", program], num_epochs=1, is_check=True)


def test_a_job_whose_directory_cannot_be_written_fails_and_the_others_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    jobs = [planned(tmp_path / "file" / "job", "pass"), planned(tmp_path / "job", "pass")]
    LocalRun(jobs, make_slots(1, 1, [], range(1)), max_retries=0, stop_on_error=False).run()
    assert [job.state for job in jobs] == ["failed", "checked"]
    assert jobs[0].reason is not None and "a part of this path is a file, not a directory" in jobs[0].reason


def test_a_job_that_could_not_record_its_failure_has_the_reason_of_its_output(tmp_path: Path) -> None:
    failing = planned(tmp_path / "job", "print('error: record.json: No space left'); raise SystemExit(1)")
    LocalRun([failing], make_slots(1, 1, [], range(1)), max_retries=0, stop_on_error=False).run()
    assert (failing.state, failing.reason) == ("failed", "record.json: No space left")
