"""Pretrained weights, from a file or by torchvision's name for them."""

import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError

import torch
from torch import Tensor, nn

from agegender.system.errors import InputError, describe, first_line

# Errors of torch.load for broken files and files of other formats; for some truncated ones also OSError.
UNREADABLE = (
    pickle.UnpicklingError,
    RuntimeError,
    EOFError,
    AttributeError,
    ValueError,
    LookupError,
    TypeError,
    ArithmeticError,
    AssertionError,
    struct.error,
)
_UNSAFE = "Weights only load failed"  # in PyTorch's message for a file whose loading would run code
_PREFIXES = ("module.", "_orig_mod.", "network.")  # that wrappers put before a network's own names


def load_pretrained(
    network: nn.Module,
    weights: str | None,
    torchvision_name: str | None = None,
    *,
    convert: Callable[[dict[str, Tensor]], dict[str, Tensor]] | None = None,
) -> None:
    """Load weights into a network; its heads keep their own weights if the file's have another shape.

    Args:
        network: built, with random weights.
        weights: a file (a state dict, or a checkpoint that holds one), torchvision's name such as IMAGENET1K_V1 or
            DEFAULT, or None to load nothing.
        torchvision_name: torchvision's name of the architecture, if it has one.
        convert: converts a file's names and shapes to the network's, if they can differ.

    Raises:
        InputError: there is no such file or name, it cannot be fetched, or it is of another architecture.
    """
    if weights is None:
        return
    path = Path(weights).expanduser()
    if path.is_file():
        state = read_state(path)
    elif torchvision_name is not None:
        state = _fetch(torchvision_name, weights)
    else:
        raise InputError(
            f"model.weights={weights} is not a file, and this network has no published weights; give a file"
        )
    _load(network, state if convert is None else convert(state), weights)


def read_state(path: Path) -> dict[str, Tensor]:
    """Read a state dict, bare, inside a checkpoint, or in a file of safetensors.

    Raises:
        InputError: the file holds no weights that can be read safely.
    """
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        state = content.get("state_dict", content)
        return {key: value for key, value in state.items() if isinstance(value, Tensor)}
    except (*UNREADABLE, OSError) as error:
        if describe(error) is not None:  # an error of the system, which has a remedy of its own
            raise
        reason = why_unreadable(path, error)
        raise InputError(f"{path} is not a file of weights ({reason}); give a PyTorch state dict") from error


def why_unreadable(path: Path, error: BaseException) -> str:
    """Return what is wrong with a file that PyTorch could not load; PyTorch's message is about its internals."""
    with path.open("rb") as file:
        head = file.read(2)
    if not head:
        return "it is empty"
    if head == b"PK" and not zipfile.is_zipfile(path):
        return "it is cut off"
    if not head.startswith((b"PK", b"\x80")):  # a zip archive, or a pickle in PyTorch's older format
        return "it was not written by PyTorch"
    if _UNSAFE in str(error):
        return "it holds more than tensors and plain containers, which could run code"
    return first_line(error, limit=150)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise InputError(f"{path} needs the extra: pip install 'agegender[timm]', or give a .pth file") from error
    try:
        return load_file(path)
    except SafetensorError as error:
        raise InputError(f"{path} is not a file of weights ({first_line(error)}); is it complete?") from error


def _fetch(torchvision_name: str, weights: str) -> dict[str, Tensor]:
    from torchvision.models import get_model_weights

    published = get_model_weights(torchvision_name)
    if weights not in published.__members__:
        raise InputError(
            f"model.weights={weights} is neither a file nor weights that torchvision has for {torchvision_name}; "
            f"choose one of {', '.join(published.__members__)}, or check the path"
        )
    try:
        return dict(published[weights].get_state_dict(progress=False, check_hash=True))
    except (URLError, OSError, RuntimeError) as error:
        raise InputError(
            f"model.weights={weights} cannot be fetched ({first_line(error)}); give the path of a file instead"
        ) from error


def _load(network: nn.Module, state: dict[str, Tensor], weights: str) -> None:
    own = network.state_dict()
    heads = [name for name in own if "heads" in name.split(".")]
    matching = {}
    for name, value in state.items():
        name = _own_name(name, own)
        if name in own and own[name].shape == value.shape:
            matching[name] = value
    missing = [name for name in own if name not in matching and name not in heads]
    if missing:
        raise InputError(
            f"model.weights={weights} is of another architecture or size: it lacks {len(missing)} of the network's "
            f"{len(own) - len(heads)} tensors, {missing[0]} {tuple(own[missing[0]].shape)} first"
        )
    network.load_state_dict(matching, strict=False)


def _own_name(name: str, own: dict[str, Tensor]) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name if name in own else f"backbone.{name}"
