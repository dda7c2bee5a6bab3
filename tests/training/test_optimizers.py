"""The optimizers that PyTorch does not have."""

import sys

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from agegender.system.errors import InputError
from agegender.training import optimizers
from agegender.training.optimizers import muon


class Products(TorchDispatchMode):
    """Collects the number formats of matrix products."""

    def __init__(self) -> None:
        super().__init__()
        self.formats: set[torch.dtype] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if "mm" in func.__name__:
            self.formats.add(result.dtype)
        return result


def test_muon_moves_a_convolution_by_an_orthogonal_matrix_and_a_bias_by_adamw() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(4, 8, 3)
    layer = layer.to(memory_format=torch.channels_last)
    before = layer.weight.detach().clone(), layer.bias.detach().clone()  # pyright: ignore
    groups = [{"params": [layer.weight]}, {"params": [layer.bias], "weight_decay": 0.0}]
    optimizer = muon(groups, lr=0.1, weight_decay=0.0, fallback_lr_scale=0.1)
    (layer(torch.randn(2, 4, 6, 6)) ** 2).sum().backward()
    optimizer.step()
    change = (before[0] - layer.weight.detach()).flatten(1)  # (8, 36)
    sizes = torch.linalg.svdvals(change)
    assert sizes.max() / sizes.min() < 2  # Newton-Schulz: all near one value, whatever those of the gradient are
    torch.testing.assert_close((before[1] - layer.bias.detach()).abs(), torch.full((8,), 0.01), rtol=1e-3, atol=0)


@pytest.mark.parametrize(("hardware", "expected"), [("bf16-mixed", torch.bfloat16), ("32-true", torch.float32)])
def test_muon_computes_in_bfloat16_only_where_the_hardware_does(
    hardware: str, expected: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimizers, "choose_precision", lambda precision, device: hardware)
    weight = nn.Parameter(torch.randn(4, 3, 3, 3))
    optimizer = muon([{"params": [weight]}], lr=0.1)
    weight.grad = torch.randn_like(weight)
    with Products() as products:
        optimizer.step()
    assert products.formats == {expected}
    assert weight.dtype == torch.float32 and weight.isfinite().all()


def test_muon_without_its_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm.optim.muon", None)
    with pytest.raises(InputError, match=r"^optimizer=muon needs the extra: pip install 'agegender\[timm\]'$"):
        muon([])
