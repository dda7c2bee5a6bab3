"""Cross-entropy against soft labels that fall off with the distance in groups (SORD); Diaz & Marathe 2019, eq. 1."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from agegender.losses.group_classes import GroupClasses
from agegender.losses.options import check_choice, check_number

METRICS = ("absolute", "squared")


class Sord(GroupClasses):
    """Cross-entropy over the G groups against q_k = softmax(-scale * d(k, y)).

    The loss of a perfect prediction is the entropy of q, not 0.

    Args:
        metric: d is the `absolute` or `squared` difference between the indices of two groups.
        scale: above 0; the larger it is, the more of the soft label is on the true group.
        options: see `Classification`.

    Raises:
        InputError: an option is out of its range.
    """

    def __init__(self, *, metric: str = "absolute", scale: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        check_choice("metric", metric, METRICS)
        check_number("scale", scale, positive=True, example=1)
        self.metric = metric
        self.scale = scale

    def soft_labels(self, group: Tensor) -> Tensor:
        """Return the soft labels of true groups, float32 (B, G), rows sum to 1, for groups int64 (B,)."""
        distance = (torch.arange(self.num_groups, device=group.device) - group[:, None]).float().abs()  # (B, G)
        return (-self.scale * (distance if self.metric == "absolute" else distance.square())).softmax(dim=1)

    def forward(self, outputs: Tensor, group: Tensor, years: Tensor) -> Tensor:
        labels = self.soft_labels(group).to(outputs.dtype)
        return self.reduce(functional.cross_entropy(self.trained_logits(outputs), labels, reduction="none"), group)
