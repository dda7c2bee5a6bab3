"""Optimizers for convolutions that PyTorch lacks."""

from collections.abc import Iterable
from typing import Any

from torch.optim import Optimizer

from agegender.system.errors import InputError


def muon(groups: Iterable[dict[str, Any]], **options: Any) -> Optimizer:
    """Make timm's Muon, Jordan et al. 2024: PyTorch's own accepts only matrices, this one convolutions too.

    Args:
        groups: of parameters; timm trains those with one dimension by AdamW.
        options: of `timm.optim.Muon`.

    Raises:
        InputError: timm is not installed.
    """
    try:
        from timm.optim.muon import Muon
    except ImportError as error:
        raise InputError("optimizer=muon needs the extra: pip install 'agegender[timm]'") from error
    return Muon(groups, **options)
