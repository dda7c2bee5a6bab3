import subprocess
from pathlib import Path

import pytest

from agegender import sync as module
from agegender.errors import InputError
from agegender.sync import sync


def test_every_run_of_a_sweep_is_sent_at_once_in_the_order_of_their_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("b/wandb/offline-run-20260101_120000-one", "a/wandb/offline-run-20260101_130000-one")
    for name in (*names, "wandb/offline-run-20260101_140000-sweep", "c/wandb/run-20260101_110000-online"):
        (tmp_path / name).mkdir(parents=True)
    called: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        called.append(command)
        return subprocess.CompletedProcess(command, 3)

    monkeypatch.setattr(module.subprocess, "run", run)
    assert sync(tmp_path) == 3, "the exit code of wandb sync"
    (command,) = called
    assert command[1:5] == ["-m", "wandb", "sync", "--yes"]
    assert command[5:] == [str(tmp_path / name) for name in (*names, "wandb/offline-run-20260101_140000-sweep")]


def test_nothing_to_send_and_no_directory_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no offline runs"):
        sync(tmp_path)
    with pytest.raises(InputError, match="is not a directory"):
        sync(tmp_path / "none")
