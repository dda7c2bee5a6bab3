import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tracked import tracked_record
from wandb.proto import wandb_internal_pb2 as pb

from agegender.records.record import write
from agegender.system.errors import InputError
from agegender.tracking import offline as module
from agegender.tracking.offline import sync

HEADER = b":W&B\x00\x00\x00"


def part(content: bytes, kind: int = 1) -> bytes:
    """Make a part of LevelDB's log, of type 1: a whole record, 2: its first part, 4: its last part."""
    return bytes(4) + len(content).to_bytes(2, "little") + bytes([kind]) + content


def record(**field: Any) -> bytes:
    return pb.Record(**field).SerializeToString()


STARTED = part(record(header={})) + part(record(run={"run_id": "one"}))
ENDED = part(record(exit={"exit_code": 0}))


def write_run(folder: Path, content: bytes, *, age_seconds: float = 0) -> Path:
    folder.mkdir(parents=True)
    file = folder / f"run-{folder.name.split('-', 3)[-1]}.wandb"
    file.write_bytes(HEADER + content)
    written = file.stat().st_mtime - age_seconds
    os.utime(file, (written, written))
    return file


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Replace `wandb sync`, which ends with exit code 3, and return the runs that each call names."""
    calls: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        assert command[1:5] == ["-m", "wandb", "sync", "--yes"]
        calls.append([Path(argument).name for argument in command[5:]])
        return subprocess.CompletedProcess(command, 3)

    monkeypatch.setattr(module.subprocess, "run", run)
    return calls


def test_every_run_of_a_sweep_is_sent_at_once_in_the_order_of_their_starts(
    tmp_path: Path, sent: list[list[str]]
) -> None:
    names = ("b/wandb/offline-run-20260101_120000-one", "a/wandb/offline-run-20260101_130000-one")
    for name in (*names, "wandb/offline-run-20260101_140000-sweep", "c/wandb/run-20260101_110000-online"):
        write_run(tmp_path / name, STARTED + ENDED)
    assert sync(tmp_path) == 3, "the exit code of wandb sync"
    assert sent == [[Path(name).name for name in names] + ["offline-run-20260101_140000-sweep"]]


@pytest.mark.parametrize("content", [b"", part(record(header={})), STARTED[:-3]])
def test_an_attempt_without_a_run_in_its_file_is_left_out(
    tmp_path: Path, sent: list[list[str]], capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    write_run(tmp_path / "wandb/offline-run-20260101_120000-one", content, age_seconds=300)
    assert sync(tmp_path) == 0 and not sent
    write_run(tmp_path / "wandb/offline-run-20260101_130000-two", STARTED + ENDED)
    assert sync(tmp_path) == 3 and sent == [["offline-run-20260101_130000-two"]]
    assert "skipped: 1 to which W&B has written nothing yet" in capsys.readouterr().out


def test_an_attempt_that_is_still_being_written_waits_and_what_came_before_it_does_not(
    tmp_path: Path, sent: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path / "wandb/offline-run-20260101_120000-one", STARTED)
    live = write_run(tmp_path / "wandb/offline-run-20260101_130000-one", STARTED)
    sync(tmp_path)
    assert sent[-1] == ["offline-run-20260101_120000-one"]
    assert "skipped: 1 still being written" in capsys.readouterr().out
    with live.open("ab") as file:
        file.write(ENDED)
    sync(tmp_path)
    assert sent[-1] == ["offline-run-20260101_120000-one", "offline-run-20260101_130000-one"]


FILL = 2**15 - 3 - len(HEADER + STARTED) - 7  # to three bytes before the end of a block, where no record begins
WHOLE = STARTED + part(record(history={"item": [{"key": "x" * (FILL - 12)}]})) + bytes(3)


@pytest.mark.parametrize(
    "half",
    [part(bytes(60))[:20], part(bytes(60), 2), part(bytes(60), 2) + part(bytes(9), 4)[:-1]],
    ids=["within a part", "without the last part", "within the last part"],
)
def test_half_a_record_is_cut_off_once_nobody_writes_to_the_file(
    tmp_path: Path, sent: list[list[str]], half: bytes
) -> None:
    assert len(HEADER + WHOLE) == 2**15
    summary = record(summary={"update": [{"key": "y" * 40}]})
    whole = WHOLE + part(summary[:30], 2) + part(summary[30:], 4)
    earlier = write_run(tmp_path / "wandb/offline-run-20260101_120000-one", whole + half)
    running = write_run(tmp_path / "wandb/offline-run-20260101_130000-one", whole + half)
    killed = write_run(tmp_path / "wandb/offline-run-20260101_120000-two", whole + half, age_seconds=300)
    complete = write_run(tmp_path / "wandb/offline-run-20260101_120000-three", whole, age_seconds=300)
    sync(tmp_path, dry_run=True)
    assert earlier.read_bytes() == HEADER + whole + half, "a dry run changes nothing"
    sync(tmp_path)
    assert len(sent[-1]) == 3
    assert running.read_bytes() == HEADER + whole + half
    for file in (earlier, killed, complete):
        assert file.read_bytes() == HEADER + whole


def test_nothing_to_send_and_no_directory_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no offline runs"):
        sync(tmp_path)
    with pytest.raises(InputError, match="is not a directory"):
        sync(tmp_path / "none")


def test_runs_of_the_sweep_that_wandb_keeps_elsewhere_are_sent_too(
    tmp_path: Path, sent: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = tmp_path / "runs/try"
    write(sweep / "vgg11/dex/3", tracked_record(status="complete", wandb_id="one"))
    (sweep / "wandb_id").write_text("two\n")
    elsewhere = tmp_path / "elsewhere"
    for name in (
        "offline-run-20260101_120000-one",
        "offline-run-20260101_130000-two",
        "offline-run-20260101_140000-no",
    ):
        write_run(elsewhere / "wandb" / name, STARTED + ENDED)
    monkeypatch.setenv("WANDB_DIR", str(elsewhere))
    assert sync(sweep) == 3
    assert sent == [["offline-run-20260101_120000-one", "offline-run-20260101_130000-two"]]


def test_another_project_and_team_are_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []
    done = subprocess.CompletedProcess([], 0)
    monkeypatch.setattr(module.subprocess, "run", lambda command, **_: commands.append(command) or done)
    write_run(tmp_path / "wandb/offline-run-20260101_120000-one", STARTED + ENDED)
    assert sync(tmp_path, project="theirs", entity="team") == 0
    assert commands[0][4:9] == ["--yes", "--project", "theirs", "--entity", "team"]
