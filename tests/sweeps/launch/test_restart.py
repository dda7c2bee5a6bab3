import errno
import json
import os
import signal
from pathlib import Path

import pytest

from agegender.records import record
from agegender.records.record import Record
from agegender.sweeps.launch import restart
from agegender.sweeps.launch.restart import last_error, should_restart
from agegender.system import files

KILLED = 128 + signal.SIGKILL


@pytest.fixture
def job(tmp_path: Path) -> Path:
    folder = tmp_path / "job"
    record.write(folder, Record(status="running", name="x", choices={}, config={}, seed=0))
    return folder


def checkpoint(job: Path, time: int) -> None:
    path = job / "checkpoints" / "last.ckpt"
    path.parent.mkdir(exist_ok=True)
    path.touch()
    os.utime(path, (time, time))


def status(job: Path) -> tuple[str, str | None]:
    entry = record.read(job)
    assert entry is not None
    return entry.status, entry.error


@pytest.mark.parametrize("code", [0, 2, 128 + signal.SIGTERM])
def test_what_a_job_or_a_person_has_decided_stays(job: Path, code: int) -> None:
    assert not should_restart(job, code, max_retries=3)
    assert status(job) == ("running", None)


def test_a_job_that_has_told_its_failure_is_not_begun_again(job: Path) -> None:
    restart.fail(job, "ValueError: no")
    assert not should_restart(job, 1, max_retries=3)
    assert status(job) == ("failed", "ValueError: no")


def test_a_process_that_was_killed_because_another_of_its_job_failed_is_not_begun_again(job: Path) -> None:
    restart.fail(job, "ValueError: no")  # told by the main process; srun kills the others
    assert not should_restart(job, KILLED, max_retries=3)
    assert status(job) == ("failed", "ValueError: no")


def test_a_process_that_failed_because_another_one_was_killed_is_begun_again(job: Path) -> None:
    restart.fail(job, "RuntimeError: [pair.cc:545] Read error [127.0.0.1]:12211: Connection reset by peer.")
    assert should_restart(job, KILLED, max_retries=3)


def test_exit_code_1_of_a_job_that_has_told_nothing_is_srun_s_for_a_memory_that_was_used_up(job: Path) -> None:
    assert [should_restart(job, 1, max_retries=2) for _ in range(3)] == [True, True, False]
    told, reason = status(job)
    assert told == "failed" and "exit code 1 3 times without getting further" in str(reason)
    assert "out of memory? (mem_gb asks for more" in str(reason)


def test_exit_code_1_of_a_job_that_has_not_begun_is_its_own(tmp_path: Path) -> None:
    assert not should_restart(tmp_path, 1, max_retries=3)


def test_a_broken_record_does_not_end_what_decides_on_the_job(job: Path) -> None:
    (job / "record.json").write_text("")
    assert not should_restart(job, 1, max_retries=3)
    restart.fail(job, "ended by SIGKILL")
    assert (job / "record.json").read_text() == ""


def test_a_killed_job_should_restart_as_long_as_it_gets_further(job: Path) -> None:
    for time in range(1, 8):
        checkpoint(job, time)
        assert should_restart(job, KILLED, max_retries=1)
    assert not should_restart(job, KILLED, max_retries=1)
    told, reason = status(job)
    assert told == "failed" and reason is not None
    assert reason.startswith("ended by SIGKILL 2 times without getting further; out of memory?")


def test_a_time_limit_that_is_too_short_for_a_checkpoint_ends_after_some_attempts(job: Path) -> None:
    assert [should_restart(job, 128 + signal.SIGUSR1, max_retries=2) for _ in range(3)] == [True, True, False]
    assert "time limit is too short" in str(status(job)[1])


def test_without_retries_the_first_death_is_the_last(job: Path) -> None:
    assert not should_restart(job, KILLED, max_retries=0)
    assert status(job)[0] == "failed"


def test_a_complete_record_is_left_alone(job: Path) -> None:
    entry = record.read(job)
    assert entry is not None
    entry.status = "complete"
    record.write(job, entry)
    assert not should_restart(job, KILLED, max_retries=0)
    assert status(job) == ("complete", None)


def test_a_batch_job_that_was_killed_is_requeued_under_its_number_in_the_array(
    job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[list[str]] = []
    monkeypatch.setattr(restart.subprocess, "run", lambda command, **_: called.append(command))
    monkeypatch.setenv("SLURM_JOB_ID", "19")
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "17")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "1")
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps(["elsewhere", str(job)]))
    arguments = ["--max-retries", "1", str(plan), "1"]
    assert restart.main([*arguments, "0"]) == 0 and not called
    assert restart.main([*arguments, str(KILLED)]) == KILLED
    assert called == [["scontrol", "requeue", "17_1"]]
    monkeypatch.delenv("SLURM_ARRAY_JOB_ID")
    checkpoint(job, 5)
    restart.main([*arguments, str(KILLED)])
    assert called[-1] == ["scontrol", "requeue", "19"]


def test_the_last_mistake_in_an_output_is_told(tmp_path: Path) -> None:
    output = tmp_path / "out"
    assert last_error(output) is None
    output.write_text("epoch 1\nerror: one\nmore\nerror: two\nend\n")
    assert last_error(output) == "two"


def test_on_a_full_disk_a_killed_job_is_not_begun_again_without_the_count_of_its_attempts(
    job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr(files.os, "fsync", full)
        assert not should_restart(job, KILLED, max_retries=3)
    assert status(job) == ("running", None), "its record cannot be written either"
    with monkeypatch.context() as context:
        write = restart.write_atomically
        context.setattr(
            restart, "write_atomically", lambda path, text: full() if "attempts" in path.name else write(path, text)
        )
        assert not should_restart(job, KILLED, max_retries=3)
    assert status(job) == (
        "failed",
        "ended by SIGKILL, and is not started again: No space left on device; free some space, or choose another disk",
    )
