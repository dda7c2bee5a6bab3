"""Classification of age groups, plain or weighted against imbalance; Uraimov & Yoo 2022, eq. 1."""

from torch import Tensor
from torch.nn import functional

from agegender.losses.group_classes import GroupClasses


class CrossEntropy(GroupClasses):
    """Cross-entropy over the G groups; arguments: see `Classification`."""

    def forward(self, outputs: Tensor, group: Tensor, years: Tensor) -> Tensor:
        return self.reduce(functional.cross_entropy(self.trained_logits(outputs), group, reduction="none"), group)
