"""Label distribution learning (DLDL-v2, Gao et al. 2018) plus the cross-entropy of the age group: this project's own.

The predicted distribution over ages is fitted to the age in years, and its sums over groups to the group, as both are
decoded from it.
"""

import math
from typing import Any

from torch import Tensor

from agegender.losses.label_distribution import LabelDistribution
from agegender.losses.options import check_number


class GroupDistribution(LabelDistribution):
    """The loss of `LabelDistribution` - group_weight log P(group), P the sum of the probabilities of the group's ages.

    As in `decode`, P is normalized over the ages that the scheme keeps.

    Args:
        sigma: standard deviation in years of the Gaussian around the true age.
        expectation_weight: of the error of the expected age in years.
        group_weight: of the group's cross-entropy.
        options: see `Classification`.
    """

    def __init__(
        self, *, sigma: float = 2.0, expectation_weight: float = 1.0, group_weight: float = 1.0, **options: Any
    ) -> None:
        super().__init__(sigma=sigma, expectation_weight=expectation_weight, **options)
        check_number("group_weight", group_weight, example=1)
        self.group_weight = group_weight

    def group_losses(self, log_probabilities: Tensor, group: Tensor) -> Tensor:
        """Compute the groups' cross-entropies, (B,), from the ages' log probabilities (B, Y) and true groups (B,)."""
        groups = self.class_groups()
        kept = log_probabilities.masked_fill(groups < 0, -math.inf).logsumexp(dim=1)
        own = log_probabilities.masked_fill(groups != group[:, None], -math.inf).logsumexp(dim=1)
        return kept - own

    def forward(self, outputs: Tensor, group: Tensor, years: Tensor) -> Tensor:
        log_probabilities = self.trained_logits(outputs).log_softmax(dim=1)
        losses = self.image_losses(log_probabilities, years)
        return self.reduce(losses + self.group_weight * self.group_losses(log_probabilities, group), group)
