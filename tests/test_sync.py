import os
import subprocess
from pathlib import Path

import pytest

from agegender import sync as module
from agegender.errors import InputError
from agegender.sync import sync

HEADER = b":W&B\x00\x00\x00"


def record(length: int, kind: int = 1) -> bytes:
    """A record of LevelDB's log; 1: whole, 2: the first part of one, 4: the last."""
    return bytes(4) + length.to_bytes(2, "little") + bytes([kind]) + b"x" * length


def write_run(folder: Path, content: bytes, *, age_seconds: float = 0) -> Path:
    folder.mkdir(parents=True)
    file = folder / f"run-{folder.name.split('-', 3)[-1]}.wandb"
    file.write_bytes(HEADER + content)
    written = file.stat().st_mtime - age_seconds
    os.utime(file, (written, written))
    return file


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What would have been given to `wandb sync`, which ends with exit code 3."""
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
        write_run(tmp_path / name, record(40) + record(50))
    assert sync(tmp_path) == 3, "the exit code of wandb sync"
    assert sent == [[Path(name).name for name in names] + ["offline-run-20260101_140000-sweep"]]


@pytest.mark.parametrize("content", [b"", record(40), record(40) + record(50)[:30]])
def test_an_attempt_without_a_run_in_its_file_is_left_out(
    tmp_path: Path, sent: list[list[str]], capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    write_run(tmp_path / "wandb/offline-run-20260101_120000-one", content)
    assert sync(tmp_path) == 0 and not sent
    write_run(tmp_path / "wandb/offline-run-20260101_130000-two", record(40) + record(50))
    assert sync(tmp_path) == 3 and sent == [["offline-run-20260101_130000-two"]]
    assert "left out: 1 " in capsys.readouterr().out


WHOLE = record(40) + record(2**15 - 7 - 47 - 7 - 3) + bytes(3)  # to the end of a block: no record begins in 3 bytes


@pytest.mark.parametrize("half", [record(60)[:20], record(60, kind=2), record(60, kind=2) + record(9, kind=4)[:-1]])
def test_half_a_record_is_cut_off_once_nobody_writes_to_the_file(
    tmp_path: Path, sent: list[list[str]], half: bytes
) -> None:
    whole = WHOLE + record(30, kind=2) + record(8, kind=4)
    earlier = write_run(tmp_path / "wandb/offline-run-20260101_120000-one", whole + half)
    running = write_run(tmp_path / "wandb/offline-run-20260101_130000-one", whole + half)
    killed = write_run(tmp_path / "wandb/offline-run-20260101_120000-two", whole + half, age_seconds=300)
    complete = write_run(tmp_path / "wandb/offline-run-20260101_120000-three", whole, age_seconds=300)
    sync(tmp_path, dry_run=True)
    assert earlier.read_bytes() == HEADER + whole + half, "a dry run changes nothing"
    sync(tmp_path)
    assert len(sent[-1]) == 4
    assert running.read_bytes() == HEADER + whole + half
    for file in (earlier, killed, complete):
        assert file.read_bytes() == HEADER + whole


def test_nothing_to_send_and_no_directory_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no offline runs"):
        sync(tmp_path)
    with pytest.raises(InputError, match="is not a directory"):
        sync(tmp_path / "none")
