"""What a network is: parameters, multiply-accumulates, the smallest image. Shapes only, nothing is computed."""

from collections.abc import Callable

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from agegender.errors import InputError, first_line

_LARGEST_MINIMUM = 512  # pixels; no network here needs more


def num_params(network: nn.Module, *, trainable: bool = False) -> int:
    """Count parameters, all or the trainable ones."""
    return sum(weight.numel() for weight in network.parameters() if weight.requires_grad or not trainable)


def gmacs(build: Callable[[int], nn.Module], image_size: int) -> float:
    """Count the multiply-accumulates of one image, in 10^9: convolutions and linear layers, half their FLOP."""
    with FlopCounterMode(display=False) as counter:
        _forward(build, image_size)
    return counter.get_total_flops() / 2 / 1e9


def check_image_size(build: Callable[[int], nn.Module], image_size: int, name: str) -> None:
    """Check that a network takes images of this size.

    Args:
        build: gives the network for an image size.
        image_size: pixels of a side.
        name: of the network, for the message.

    Raises:
        InputError: too small, the message names the smallest size that works; or no size works.
    """
    reason = _refusal(build, image_size)
    if reason is None:
        return
    larger = range(image_size + 1, _LARGEST_MINIMUM)
    smallest = next((size for size in larger if _refusal(build, size) is None), None)
    if smallest is None:
        raise InputError(f"model={name} takes images of no size, so its own keys are wrong: {reason}")
    raise InputError(f"data.image_size={image_size} is too small for model={name}; its smallest is {smallest}")


def _refusal(build: Callable[[int], nn.Module], image_size: int) -> str | None:
    try:
        _forward(build, image_size)
    except InputError:
        raise
    except (RuntimeError, ValueError) as error:  # what PyTorch raises where a pooling or a layer gets no pixels
        return first_line(error)
    return None


def _forward(build: Callable[[int], nn.Module], image_size: int) -> None:
    with torch.device("meta"), torch.no_grad():
        build(image_size).eval()(torch.empty(1, 3, image_size, image_size))
