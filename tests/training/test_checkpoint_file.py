"""Checkpoints are written atomically: on a disk that fills up meanwhile, the previous one stays."""

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch

from agegender.models.weights import read_state
from agegender.system import files
from agegender.system.errors import InputError, describe
from agegender.training.checkpoint_file import CheckpointFile, read_checkpoint, write_checkpoint
from agegender.training.trainers import make_trainer

CONTENT = {"state_dict": {"weight": torch.arange(50_000.0)}, "epoch": 3}


class FullDisk:
    """A file on a disk that is full after some bytes."""

    def __init__(self, file: Any, room: int) -> None:
        self._file = file
        self._room = room

    def write(self, data: Any) -> int:
        self._room -= len(data)
        if self._room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self._file.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> "FullDisk":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


@pytest.fixture(params=[0, 100, 150_000])
def full_disk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    opened = Path.open

    def open_on_full_disk(path: Path, mode: str = "r", *options: Any, **named: Any) -> Any:
        file = opened(path, mode, *options, **named)
        return FullDisk(file, request.param) if mode == "wb" else file

    monkeypatch.setattr(Path, "open", open_on_full_disk)
    yield


def test_a_checkpoint_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "deep" / "last.ckpt", CONTENT)
    torch.testing.assert_close(read_checkpoint(tmp_path / "deep" / "last.ckpt"), CONTENT)


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_leaves_the_former_checkpoint_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    torch.save({"epoch": 2}, path)
    with pytest.raises(OSError) as caught:
        CheckpointFile().save_checkpoint(CONTENT, path)
    assert read_checkpoint(path) == {"epoch": 2}
    assert list(tmp_path.iterdir()) == [path]
    assert describe(caught.value) == f"{path}: No space left on device; free some space, or choose another disk"


def test_a_disk_that_tells_only_at_the_end_leaves_the_former_checkpoint_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.ckpt"
    torch.save({"epoch": 2}, path)

    def fail(_: int) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(OSError, match="quota"):
        write_checkpoint(path, CONTENT)
    assert read_checkpoint(path) == {"epoch": 2}


def test_what_a_killed_job_left_of_a_checkpoint_is_gone_with_the_next(tmp_path: Path) -> None:
    (tmp_path / ".last.ckpt.tmp").write_bytes(b"half")
    write_checkpoint(tmp_path / "last.ckpt", CONTENT)
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]


def test_the_trainer_writes_its_checkpoints_so(tmp_path: Path) -> None:
    config = {"accelerator": "cpu", "precision": "32-true", "enable_progress_bar": False, "barebones": False}
    trainer = make_trainer(config, folder=tmp_path, callbacks=[], logger=False)
    assert isinstance(trainer, lightning.Trainer)
    assert isinstance(trainer.strategy.checkpoint_io, CheckpointFile)


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.99])
def test_a_checkpoint_that_was_cut_off_is_told_in_one_line(kept: float, tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    write_checkpoint(path, CONTENT)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(InputError, match="is not a checkpoint that can be read safely"):
        read_checkpoint(path)
    with pytest.raises(InputError, match="is not a file of weights"):
        read_state(path)
