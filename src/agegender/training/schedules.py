"""Learning rate schedules: factories of PyTorch schedulers, stepped once per optimizer step."""

import math
from collections.abc import Callable

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def constant(optimizer: Optimizer, num_steps: int) -> LambdaLR:
    """Keep the optimizer's learning rates.

    Args:
        optimizer: its rates stay as they are.
        num_steps: optimizer steps of the whole training.
    """
    return LambdaLR(optimizer, lambda step: 1.0)


def linear(optimizer: Optimizer, num_steps: int, *, warmup: float, final: float) -> LambdaLR:
    """Rise linearly to the optimizer's learning rates, then fall linearly: the one-cycle policy, Smith 2018.

    Args:
        optimizer: its rates are the peaks.
        num_steps: optimizer steps of the whole training.
        warmup: share of the steps with a rising rate, in [0, 1].
        final: rate at the end, as a share of the peak.
    """
    return _cycle(optimizer, num_steps, warmup, final, lambda past: 1 - past)


def cosine(optimizer: Optimizer, num_steps: int, *, warmup: float, final: float) -> LambdaLR:
    """Rise linearly to the optimizer's learning rates, then fall along half a cosine, Loshchilov & Hutter 2017.

    Args:
        optimizer: its rates are the peaks.
        num_steps: optimizer steps of the whole training.
        warmup: share of the steps with a rising rate, in [0, 1].
        final: rate at the end, as a share of the peak.
    """
    return _cycle(optimizer, num_steps, warmup, final, lambda past: (1 + math.cos(math.pi * past)) / 2)


def _cycle(
    optimizer: Optimizer, num_steps: int, warmup: float, final: float, fall: Callable[[float], float]
) -> LambdaLR:
    rise = warmup * num_steps

    def rate(step: int) -> float:
        if step < rise:
            return (step + 1) / (rise + 1)
        past = min((step - rise) / max(num_steps - rise, 1), 1.0)  # share of the fall that is over
        return final + (1 - final) * fall(past)

    return LambdaLR(optimizer, rate)
