"""The moving average of the weights: where it is, what it costs, and that it is the average."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import lightning
import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils._python_dispatch import TorchDispatchMode

from agegender.training.checkpoints import MovingAverage


class Counts(TorchDispatchMode):
    """Counts the operations of PyTorch by their names."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.names.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


class Small(lightning.LightningModule):
    """Weights, the buffers of a batch normalization, among them an integer, and one more integer."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
        self.register_buffer("groups", torch.arange(5))


@pytest.fixture
def averaged() -> Callable[[lightning.LightningModule, str], AveragedModel]:
    """Return a function that sets the average of a module up for a training on a device."""

    def make(module: lightning.LightningModule, device: str) -> AveragedModel:
        trainer: Any = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device(device)))
        callback = MovingAverage(0.9)
        callback.setup(trainer, module, "fit")
        assert callback._average_model is not None
        return callback._average_model

    return make


def test_the_average_is_on_the_trainings_device_before_the_weights_are(averaged: Any) -> None:
    average = averaged(Small(), "meta")
    assert {value.device.type for value in (*average.module.parameters(), *average.module.buffers())} == {"meta"}
    assert average.n_averaged.device.type == "cpu"


def test_an_update_reads_nothing_from_the_device(averaged: Any) -> None:
    module = Small()
    average = averaged(module, "meta")
    module.to("meta")
    for _ in range(3):
        average.update_parameters(module)  # reading a value of a meta tensor is an error
    assert average.n_averaged.item() == 3


def test_an_update_is_one_call_for_all_weights_and_one_for_all_integers(averaged: Any) -> None:
    module = Small()
    average = averaged(module, "meta")
    module.to("meta")
    average.update_parameters(module)
    with Counts() as counts:
        average.update_parameters(module)
    updates = [name for name in counts.names if name not in ("detach", "alias", "_local_scalar_dense", "add_", "eq")]
    assert updates == ["_foreach_lerp_", "_foreach_copy_"]


def test_averages_are_those_of_pytorch_bit_for_bit(averaged: Any) -> None:
    module = Small()
    average = averaged(module, "cpu")
    theirs = AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
    random = torch.Generator().manual_seed(0)
    for _ in range(4):
        for value in (*module.parameters(), *module.buffers()):
            if value.is_floating_point():
                value.data.copy_(torch.randn(value.shape, generator=random))
        average.update_parameters(module)
        theirs.update_parameters(module)
    own: dict[str, Tensor] = average.state_dict()
    assert own.keys() == theirs.state_dict().keys()
    floats = {key: value for key, value in theirs.state_dict().items() if value.is_floating_point()}
    assert len(floats) == 6
    assert all(torch.equal(own[key], value) for key, value in floats.items())


def test_integers_are_copied_and_not_averaged(averaged: Any) -> None:
    module = Small()
    average = averaged(module, "cpu")
    for number in (3, 10, 4):
        module.groups.fill_(number)  # pyright: ignore
        average.update_parameters(module)
    assert average.module.groups.tolist() == [4] * 5
