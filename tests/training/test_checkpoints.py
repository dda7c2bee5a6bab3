"""How often `last.ckpt` is written, by a fake clock that each epoch advances."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning
import pytest
from tiny_training import Trains

from agegender.jobs import callbacks
from agegender.training import checkpoints
from agegender.training.checkpoint_file import CheckpointFile
from agegender.training.checkpoints import Interruptible


class Clock(lightning.Callback):
    """Replaces the `time` module in checkpoints; each epoch takes the same number of seconds."""

    def __init__(self, seconds: float) -> None:
        self._now = 0.0
        self._seconds = seconds

    def monotonic(self) -> float:
        return self._now

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        self._now += self._seconds


@pytest.fixture
def epochs_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, trains: Trains) -> Callable[..., list[int]]:
    """Train for six epochs of equal length and return the numbers of those after which `last.ckpt` was written."""

    def train(seconds: float, *overrides: str) -> list[int]:
        kept: list[int] = []
        clock = Clock(seconds)
        save = CheckpointFile.save_checkpoint

        def save_and_count(self: CheckpointFile, checkpoint: dict[str, Any], path: Any, **options: Any) -> None:
            if Path(path).name == "last.ckpt":
                kept.append(checkpoint["epoch"] + 1)
            save(self, checkpoint, path, **options)

        monkeypatch.setattr(CheckpointFile, "save_checkpoint", save_and_count)
        monkeypatch.setattr(checkpoints, "time", SimpleNamespace(monotonic=clock.monotonic))
        monkeypatch.setattr(callbacks, "averaging", lambda config: [clock])
        status, _ = trains(tmp_path, "trainer.max_epochs=6", *overrides)
        assert status == "complete"
        return kept

    return train


@pytest.mark.parametrize(
    ("seconds", "kept"),
    [(0.1, [6]), (25.0, [3, 6]), (30.0, [2, 4, 6]), (61.0, [1, 2, 3, 4, 5, 6])],
)
def test_an_epoch_is_kept_where_a_minute_has_passed_and_always_the_last_one(
    seconds: float, kept: list[int], epochs_kept: Callable[..., list[int]]
) -> None:
    assert epochs_kept(seconds) == kept


def test_without_checkpoints_inside_epochs_their_ends_are_kept_as_often(
    epochs_kept: Callable[..., list[int]],
) -> None:
    assert epochs_kept(25.0, "checkpoint_minutes=null") == [3, 6]


def test_who_asks_for_more_frequent_checkpoints_has_them_at_the_ends_of_epochs_too(
    epochs_kept: Callable[..., list[int]],
) -> None:
    assert epochs_kept(25.0, "checkpoint_minutes=0.5") == [2, 4, 6]


@pytest.mark.parametrize(
    ("overrides", "last"),
    [
        (("trainer.max_epochs=9", "+trainer.max_steps=9"), 5),  # two steps an epoch
        (("early_stopping=1", "optimizer.lr=1e-12"), 2),
    ],
)
def test_a_training_that_ends_before_its_last_epoch_is_kept_where_it_ends(
    overrides: tuple[str, ...], last: int, epochs_kept: Callable[..., list[int]]
) -> None:
    assert epochs_kept(0.1, *overrides)[-1:] == [last]


def agreements_of(num_steps: int, num_devices: int, tmp_path: Path) -> int:
    """Count how often the processes of a job wait for each other in some steps of an epoch."""
    asked: list[bool] = []
    strategy = SimpleNamespace(reduce_boolean_decision=lambda value, all: asked.append(value) or value)
    trainer: Any = SimpleNamespace(
        world_size=num_devices, strategy=strategy, is_last_batch=False, accumulate_grad_batches=1, global_step=0
    )
    callback = Interruptible(tmp_path / "last.ckpt", minutes=15)
    callback._loader = object()  # pyright: ignore
    callback._saved_at = checkpoints.time.monotonic()
    for step in range(num_steps):
        trainer.global_step = step + 1
        callback.on_train_batch_end(trainer, None, None, None, step)  # pyright: ignore
    return len(asked)


@pytest.mark.parametrize(("num_devices", "expected"), [(1, 0), (2, 4)])
def test_the_processes_of_a_job_wait_for_each_other_in_one_step_of_ten(
    num_devices: int, expected: int, tmp_path: Path
) -> None:
    assert agreements_of(40, num_devices, tmp_path) == expected
