import logging
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from agegender.sweeps.launch.local import LocalRun, advise_mps, make_slots
from agegender.sweeps.launch.plan import PlannedJob
from agegender.system import devices
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
    expected = {"OMP_NUM_THREADS": str(num_cores // n_jobs), "CUDA_VISIBLE_DEVICES": "", "AGEGENDER_JOBS_PER_GPU": "1"}
    assert slots[0].environment() == expected


@pytest.mark.parametrize(
    ("n_jobs", "jobs_per_gpu", "expected"),
    [(None, 1, [1, 1]), (None, 3, [3] * 6), (2, 3, [1, 1]), (3, 3, [2, 1, 2])],
)
def test_a_job_knows_how_many_others_share_its_gpu(
    n_jobs: int | None, jobs_per_gpu: int, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    slots = make_slots(n_jobs, jobs_per_gpu, ["MIG-aa", "GPU-22"], range(8))
    assert [slot.jobs_per_gpu for slot in slots] == expected
    for slot, number in zip(slots, expected, strict=True):
        monkeypatch.setenv("AGEGENDER_JOBS_PER_GPU", slot.environment()["AGEGENDER_JOBS_PER_GPU"])
        assert devices.jobs_per_gpu() == number


@pytest.mark.parametrize(
    ("jobs_per_gpu", "runs", "is_advised"), [(1, False, False), (3, False, True), (3, True, False)]
)
def test_mps_is_named_where_jobs_share_a_gpu_without_it(
    jobs_per_gpu: int,
    runs: bool,
    is_advised: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", str(tmp_path))
    if runs:
        (tmp_path / "control").touch()
    with caplog.at_level(logging.INFO):
        advise_mps(make_slots(None, jobs_per_gpu, ["0"], range(4)))
    assert ("3 jobs share a GPU: without NVIDIA MPS" in caplog.text) is is_advised


def test_jobs_that_share_a_gpu_run_at_once_each_with_the_gpus_name(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, time\n"
        "here = pathlib.Path(os.environ['FOLDER'])\n"
        "(here / str(os.getpid())).write_text(os.environ['CUDA_VISIBLE_DEVICES'])\n"
        "deadline = time.monotonic() + 60\n"
        "while len(list(here.iterdir())) < 3 and time.monotonic() < deadline:\n"
        "    time.sleep(0.01)\n"
        "raise SystemExit(len(list(here.iterdir())) != 3)\n"
    )
    here = tmp_path / "started"
    here.mkdir()
    jobs = [
        planned(tmp_path / str(number), program.replace("os.environ['FOLDER']", repr(str(here)))) for number in range(3)
    ]
    LocalRun(jobs, make_slots(None, 3, ["MIG-aa"], range(2)), max_retries=0, stop_on_error=False).run()
    assert [job.state for job in jobs] == ["checked"] * 3
    assert [path.read_text() for path in here.iterdir()] == ["MIG-aa"] * 3


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
