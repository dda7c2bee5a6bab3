"""Focal loss over the age groups; Lin et al. 2017, eq. 4, with a softmax in place of their sigmoid."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from agegender.losses.group_classes import GroupClasses
from agegender.losses.options import check_number


class Focal(GroupClasses):
    """Cross-entropy over the G groups times (1 - p)^gamma, p being the probability of the true group.

    A well classified image counts for little. The alpha of eq. 5 is `weighting`.

    Args:
        gamma: at least 0; 0 is the cross-entropy, and Lin et al. found 2 best.
        options: see `Classification`.

    Raises:
        InputError: an option is out of its range.
    """

    def __init__(self, *, gamma: float = 2.0, **options: Any) -> None:
        super().__init__(**options)
        check_number("gamma", gamma, example=2)
        self.gamma = gamma

    def forward(self, outputs: Tensor, group: Tensor, years: Tensor) -> Tensor:
        losses = functional.cross_entropy(self.trained_logits(outputs), group, reduction="none")  # (B,), -log p
        # Never 0: there the slope of a power below 1 is infinite, and the gradient would be NaN.
        missing = (-torch.expm1(-losses)).clamp(min=torch.finfo(losses.dtype).tiny)  # (B,), 1 - p
        return self.reduce(missing**self.gamma * losses, group)
