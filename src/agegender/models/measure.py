"""What a network is: parameters, multiply-accumulates, the smallest image. Shapes only, nothing is computed."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from agegender.system.errors import InputError, first_line

_LARGEST_MINIMUM = 512  # pixels; no network here needs more


def num_params(network: nn.Module, *, trainable: bool = False) -> int:
    """Count parameters, all or the trainable ones."""
    return sum(weight.numel() for weight in network.parameters() if weight.requires_grad or not trainable)


def gmacs(build: Callable[[int], nn.Module], image_size: int) -> float:
    """Count the multiply-accumulates of one image, in 10^9: convolutions and linear layers, half their FLOP."""
    return sum(layer["macs"] for layer in layers(build, image_size)) / 1e9


def layers(build: Callable[[int], nn.Module], image_size: int) -> list[dict[str, Any]]:
    """List what one image goes through: modules without modules inside or with weights of their own, as executed.

    Args:
        build: gives the network for an image size.
        image_size: pixels of a side.

    Returns:
        Plain containers, one for each execution: `name` in the network, `kind` (its class), `output` (shape without the
        batch), `num_params` (at the first execution, 0 later), `macs` (multiply-accumulates). What no such module owns
        comes last, in one entry without a name: so `num_params` and `macs` sum up to the network's.
    """
    found: list[dict[str, Any]] = []
    before: dict[str, int] = {}
    counted: set[int] = set()

    def begin(name: str, *_: Any) -> None:
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
            module.register_forward_pre_hook(partial(begin, name))
            module.register_forward_hook(partial(end, name))
    with FlopCounterMode(display=False) as counter:
        _forward(network, image_size)
    return found + _rest(found, num_params(network), counter.get_total_flops() // 2)


def _rest(found: list[dict[str, Any]], num_params: int, macs: int) -> list[dict[str, Any]]:
    """Make the entry of what a network does or owns outside its innermost modules, where there is any."""
    left = {"num_params": num_params, "macs": macs}
    left = {key: total - sum(layer[key] for layer in found) for key, total in left.items()}
    return [{"name": "", "kind": "outside of layers", "output": [], **left}] if any(left.values()) else []


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


def check_start_size(build: Callable[[int], nn.Module], image_size: int, start_size: int, name: str) -> None:
    """Check that a network that is built for one size takes images of another.

    Args:
        build: gives the network for an image size.
        image_size: pixels of a side that it is built for.
        start_size: of the images that it must take as well.
        name: of the network, for the message.

    Raises:
        InputError: it does not.
    """
    reason = _refusal(lambda _: build(image_size), start_size)
    if reason is not None:
        raise InputError(
            f"augment.start_size={start_size}: model={name} built for {image_size} pixels does not take such images "
            f"({reason}); give a larger one, or a network that pools to a fixed size"
        )


def _refusal(build: Callable[[int], nn.Module], image_size: int) -> str | None:
    try:
        with torch.device("meta"):
            network = build(image_size)
        _forward(network, image_size)
    except InputError:
        raise
    except (RuntimeError, ValueError, AssertionError) as error:  # what PyTorch and timm raise at a size too small
        return first_line(error)
    return None


def _forward(network: nn.Module, image_size: int) -> None:
    with torch.device("meta"), torch.no_grad():
        network.eval()(torch.empty(1, 3, image_size, image_size))
