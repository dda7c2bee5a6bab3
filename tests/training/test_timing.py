"""The reported cost of a job, by a fake clock."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from agegender.training import timing


def stand_in(**attributes: Any) -> Any:
    return SimpleNamespace(**attributes)


def test_validation_in_the_middle_of_an_epoch_is_no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock.now)
    timer = timing.FitTimer()
    trainer = stand_in(world_size=1, is_last_batch=False)
    module = stand_in(device=torch.device("cpu"))

    def step(seconds: float, *, last: bool = False) -> None:
        trainer.is_last_batch = last
        timer.on_train_batch_start(trainer, module, None, 0)
        clock.now += seconds
        timer.on_train_batch_end(trainer, module, None, {"group": [0] * 4}, 0)

    timer.on_fit_start(trainer, module)
    timer.on_train_epoch_start(trainer, module)
    step(2)
    timer.on_validation_start(trainer, module)
    clock.now += 50
    step(3, last=True)
    timer.on_validation_start(trainer, module)
    clock.now += 100
    timer.on_fit_end(trainer, module)
    assert (timer.train_seconds, timer.num_images, timer.fit_seconds) == (5, 8, 155)
    assert timer.images_per_second == 8 / 5


def test_an_epochs_speed_is_its_own_also_where_it_was_resumed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock.now)
    trainer = stand_in(world_size=1, is_last_batch=True)
    module = stand_in(device=torch.device("cpu"))

    def step(timer: timing.FitTimer, seconds: float) -> None:
        timer.on_train_batch_start(trainer, module, None, 0)
        clock.now += seconds
        timer.on_train_batch_end(trainer, module, None, {"group": [0] * 8}, 0)

    timer = timing.FitTimer()
    for seconds in (1, 4):
        timer.on_train_epoch_start(trainer, module)
        step(timer, seconds)
        assert timer.epoch_images_per_second == 8 / seconds
    assert timer.images_per_second == 16 / 5
    resumed = timing.FitTimer()
    resumed.load_state_dict(timer.state_dict())
    step(resumed, 2)
    assert resumed.epoch_images_per_second == 4


@pytest.mark.parametrize(("first", "second", "expected"), [(1, 1, 1), (3, 1, 3), (1, 2, 2)])
def test_a_job_that_shared_its_gpu_in_one_attempt_says_so(first: int, second: int, expected: int) -> None:
    timer = timing.FitTimer(first)
    resumed = timing.FitTimer(second)
    resumed.load_state_dict(timer.state_dict())
    assert resumed.jobs_per_gpu == expected
