"""Measures of a network: parameters, multiply-accumulates, the smallest image. From shapes alone, without computing."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from agegender.system.errors import InputError, first_line

_LARGEST_MINIMUM = 512  # pixels; no network here needs larger images


def num_params(network: nn.Module, *, trainable: bool = False) -> int:
    """Count the parameters, all or only the trainable ones."""
    return sum(weight.numel() for weight in network.parameters() if weight.requires_grad or not trainable)


def gmacs(build: Callable[[int], nn.Module], image_size: int) -> float:
    """Count the multiply-accumulates for one image, in 10^9: half the FLOP of convolutions and linear layers."""
    return sum(layer["macs"] for layer in layers(build, image_size)) / 1e9


def layers(build: Callable[[int], nn.Module], image_size: int) -> list[dict[str, Any]]:
    """List the layers in the order of execution for one image: modules without submodules or with own parameters.

    Args:
        build: returns the network for an image size.
        image_size: pixels of a side.

    Returns:
        Plain containers, one per execution: `name` in the network, `kind` (its class), `output` (shape without the
        batch), `num_params` (at the first execution, 0 later), `macs` (multiply-accumulates). A last entry without a
        name holds whatever belongs to no layer, so that `num_params` and `macs` add up to the network's.
    """
    found: list[dict[str, Any]] = []
    before: dict[str, int] = {}
    counted: set[int] = set()

    def start(name: str, *_: Any) -> None:
        before[name] = counter.get_total_flops()

    def end(name: str, module: nn.Module, _: Any, output: Any) -> None:
        own = module.parameters(recurse=False)
        new = {id(weight): weight.numel() for weight in own if id(weight) not in counted}
        counted.update(new)
        macs = (counter.get_total_flops() - before[name]) // 2 if next(module.children(), None) is None else 0
        shape = list(output.shape[1:]) if isinstance(output, torch.Tensor) else []
        layer = {"name": name, "kind": type(module).__name__, "output": shape}
        found.append(layer | {"num_params": sum(new.values()), "macs": macs})

    with torch.device("meta"):
        network = build(image_size)
    for name, module in network.named_modules():
        has_weights = name and next(module.parameters(recurse=False), None) is not None
        if next(module.children(), None) is None or has_weights:
            module.register_forward_pre_hook(partial(start, name))
            module.register_forward_hook(partial(end, name))
    with FlopCounterMode(display=False) as counter:
        _forward(network, image_size)
    return found + _rest(found, num_params(network), counter.get_total_flops() // 2)


def _rest(found: list[dict[str, Any]], num_params: int, macs: int) -> list[dict[str, Any]]:
    """Return the entry for parameters and computations outside of the layers, or no entry if there are none."""
    totals = {"num_params": num_params, "macs": macs}
    rest = {key: total - sum(layer[key] for layer in found) for key, total in totals.items()}
    return [{"name": "", "kind": "outside of layers", "output": [], **rest}] if any(rest.values()) else []


def check_image_size(build: Callable[[int], nn.Module], image_size: int, name: str) -> None:
    """Check that a network accepts images of this size.

    Args:
        build: returns the network for an image size.
        image_size: pixels of a side.
        name: of the network, for the message.

    Raises:
        InputError: the size is too small, then the message names the smallest one that works; or no size works.
    """
    reason = _refusal(build, image_size)
    if reason is None:
        return
    larger = range(image_size + 1, _LARGEST_MINIMUM)
    smallest = next((size for size in larger if _refusal(build, size) is None), None)
    if smallest is None:
        raise InputError(f"model={name} accepts no image size; check the options under model: {reason}")
    raise InputError(f"data.image_size={image_size} is too small for model={name}; its smallest is {smallest}")


def check_start_size(build: Callable[[int], nn.Module], image_size: int, start_size: int, name: str) -> None:
    """Check that a network that is built for one image size accepts another.

    Args:
        build: returns the network for an image size.
        image_size: pixels of a side that it is built for.
        start_size: pixels of a side that it must accept too.
        name: of the network, for the message.

    Raises:
        InputError: it does not accept `start_size`.
    """
    reason = _refusal(lambda _: build(image_size), start_size)
    if reason is not None:
        raise InputError(
            f"augment.start_size={start_size}: model={name} built for {image_size} pixels does not accept such images "
            f"({reason}); choose a larger start_size, or a network that pools to a fixed size"
        )


def _refusal(build: Callable[[int], nn.Module], image_size: int) -> str | None:
    try:
        with torch.device("meta"):
            network = build(image_size)
        _forward(network, image_size)
    except InputError:
        raise
    except (RuntimeError, ValueError, AssertionError) as error:  # raised by PyTorch and timm if the size is too small
        return first_line(error)
    return None


def _forward(network: nn.Module, image_size: int) -> None:
    with torch.device("meta"), torch.no_grad():
        network.eval()(torch.empty(1, 3, image_size, image_size))
