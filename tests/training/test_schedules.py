"""The learning rates over a training."""

from functools import partial
from typing import Any

import pytest
import torch
from composing import composed
from torch.optim.lr_scheduler import LambdaLR

from agegender.jobs import build
from agegender.training import schedules


def rates(schedule: partial[LambdaLR], num_steps: int, peak: float = 2.0) -> list[float]:
    """Return the learning rate of each step."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], peak)
    scheduler = schedule(optimizer, num_steps)
    found = []
    for _ in range(num_steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


def test_a_constant_rate_is_the_optimizers_at_every_step() -> None:
    assert rates(partial(schedules.constant), 5) == [2.0] * 5


def test_the_linear_schedule_rises_to_the_peak_and_falls_to_the_final_share() -> None:
    found = rates(partial(schedules.linear, warmup=0.4, final=0.5), 10)
    assert found == pytest.approx([0.4, 0.8, 1.2, 1.6, 2.0, 2 - 1 / 6, 2 - 2 / 6, 1.5, 2 - 4 / 6, 2 - 5 / 6])


def test_the_cosine_schedule_is_half_way_down_in_the_middle_of_its_fall() -> None:
    found = rates(partial(schedules.cosine, warmup=0.2, final=0.0), 100)
    assert found[:20] == pytest.approx([2 * (step + 1) / 21 for step in range(20)])
    assert found[20] == pytest.approx(2.0) and found[60] == pytest.approx(1.0) and found[99] < 0.002


@pytest.mark.parametrize("schedule", [schedules.linear, schedules.cosine])
@pytest.mark.parametrize("warmup", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("num_steps", [1, 2, 7, 100])
def test_rates_stay_between_nothing_and_the_peak_and_go_up_then_down(
    schedule: object, warmup: float, num_steps: int
) -> None:
    found = rates(partial(schedule, warmup=warmup, final=0.0), num_steps)  # pyright: ignore
    top = found.index(max(found))
    assert all(0 < rate <= 2 for rate in found)
    assert found[: top + 1] == sorted(found[: top + 1]) and found[top:] == sorted(found[top:], reverse=True)


def test_a_step_past_the_end_keeps_the_final_rate() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 1.0)
    scheduler = schedules.linear(optimizer, 3, warmup=0.0, final=0.25)
    for _ in range(6):
        optimizer.step()
        scheduler.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.25)


def test_a_scheduler_of_pytorchs_own_works_as_a_schedule() -> None:
    step = {"_target_": "torch.optim.lr_scheduler.StepLR", "_partial_": True, "step_size": 2, "gamma": 0.1}
    config = composed("model=compact_small", "data.image_size=16") | {"schedule": step}
    schedule: Any = build.make_module(config)._schedule
    assert rates(schedule, 4, peak=1.0) == pytest.approx([1, 1, 0.1, 0.1])
