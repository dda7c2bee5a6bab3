"""No training step waits for a GPU: every network, method and augmentation, on PyTorch's `meta` device in its place.

Tensors there have no values. So whatever would make a program wait for the values of a GPU is an error there: `item`,
a condition on a tensor, a copy to the CPU, a mask as an index. A copy to the device from memory that is not
page-locked waits too; the operations are watched for it.
"""

from contextlib import nullcontext
from typing import Any

import pytest
import torch
from composing import composed
from paths import CONF
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from agegender.jobs import build
from agegender.labels import age_groups
from agegender.models.heads import FaceOutputs
from agegender.training.module import AgeGenderModule

MODELS = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))
LOSSES = sorted(path.stem for path in (CONF / "loss").glob("*.yaml"))
AUGMENTATIONS = ("augment=flip", "augment=standard", "augment=strong", "augment.mixup=0.2")
DEVICE = torch.device("meta")
SIZE = 256  # pixels; without values it costs nothing
NUM_IMAGES = 4


class CopiesToDevice(TorchDispatchMode):
    """Refuses to copy a tensor of the CPU to the device, as a program would wait for that."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        sources = [arg for arg in args if isinstance(arg, Tensor)]
        if name in ("_to_copy", "copy_", "copy"):
            devices = {tensor.device.type for tensor in (result, *sources)}
            # A number that is assigned to an element is passed with the kernel.
            is_number = name == "copy_" and sources[-1].ndim == 0
            assert len(devices) == 1 or is_number, f"{name} from or to the device"
        return result


class NumbersToDevice(TorchFunctionMode):
    """Refuses to make a tensor on the device from numbers of the program, which is such a copy too."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func in (torch.tensor, torch.as_tensor, Tensor.new_tensor) and not isinstance(args[0], Tensor):
            assert result.device != DEVICE, "a tensor was made from numbers of the program on the device"
        return result


def make_module(*overrides: str) -> AgeGenderModule:
    """Make a module on the device, ready to train."""
    config = composed(*overrides, f"data.image_size={SIZE}", "logger=none")
    method = build.make_method(config)
    method.prepare(torch.arange(121), torch.from_numpy(age_groups("closed").group_of_age))
    with DEVICE:
        network = build.network_builder(config, method.num_outputs)(SIZE)
    augment = build._make_augment(config, build.network_builder(config, method.num_outputs))
    return AgeGenderModule(network, method, augment=augment).to(DEVICE).train()


def batch_on_device() -> dict[str, Tensor]:
    labels = {key: torch.zeros(NUM_IMAGES, dtype=torch.int64, device=DEVICE) for key in ("years", "group", "gender")}
    images = torch.zeros(NUM_IMAGES, SIZE, SIZE, 3, dtype=torch.uint8, device=DEVICE).permute(0, 3, 1, 2)
    return {"images": images, "row": labels["years"], **labels}


def train_twice(module: AgeGenderModule) -> None:
    """Take a step, which may create what later ones use, and another, which must not wait."""
    for copies, numbers in ((nullcontext(), nullcontext()), (CopiesToDevice(), NumbersToDevice())):
        batch = batch_on_device()
        module.zero_grad()
        with copies, numbers:
            module.training_step(batch).backward()
            module.validation_step(batch)


@pytest.mark.parametrize("model", MODELS)
def test_no_network_waits_in_a_step(model: str) -> None:
    train_twice(make_module(f"model={model}"))


@pytest.mark.parametrize("loss", LOSSES)
def test_no_method_waits_in_a_step(loss: str) -> None:
    train_twice(make_module(f"loss={loss}", "model=compact_small"))


@pytest.mark.parametrize("weighting", ["inverse", "sqrt", "effective"])
@pytest.mark.parametrize("options", ["loss.normalization=weights", "loss.logit_adjustment=0.5"])
def test_no_weighting_waits_in_a_step(weighting: str, options: str) -> None:
    train_twice(make_module("loss=plain", f"loss.weighting={weighting}", options, "model=compact_small"))


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_no_augmentation_waits_in_a_step(augmentation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # `meta` has no mixed precision
    train_twice(make_module(augmentation, "model=compact_small"))


class Waiting(nn.Module):
    """A network with one of the mistakes that make a program wait."""

    def __init__(self, mistake: str) -> None:
        super().__init__()
        self.heads = nn.Linear(3, 8)
        self.mistake = mistake

    def forward(self, images: Tensor) -> FaceOutputs:
        features = images.mean((2, 3))  # (B, 3)
        if self.mistake == "item":
            features = features * features.max().item()
        elif self.mistake == "condition" and features.sum() > 0:
            features = features + 1
        elif self.mistake == "cpu":
            features.cpu()
        elif self.mistake == "nonzero":
            features.nonzero()
        elif self.mistake == "mask":
            features[features > 0]
        elif self.mistake == "from numbers":
            features = features * torch.tensor([1.0, 2.0, 3.0], device=features.device)
        elif self.mistake == "from the CPU":
            features = features * torch.arange(3.0).to(features.device)
        age = self.heads(features)
        return FaceOutputs(age, age[:, :2])


@pytest.mark.parametrize("mistake", ["item", "condition", "cpu", "nonzero", "mask", "from numbers", "from the CPU"])
def test_a_step_that_waits_is_found(mistake: str) -> None:
    module = make_module("loss=plain", "model=compact_small")
    module.network = Waiting(mistake).to(DEVICE)
    with pytest.raises((RuntimeError, NotImplementedError, AssertionError)):
        train_twice(module)


def test_a_step_without_a_mistake_passes() -> None:
    module = make_module("loss=plain", "model=compact_small")
    module.network = Waiting("none").to(DEVICE)
    train_twice(module)
