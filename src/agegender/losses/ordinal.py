"""The base of ordinal methods: one binary task per age, "is the face older than k years?", k = 0 to 99."""

import torch
from torch import Tensor
from torch.nn import functional

from agegender.labels import NUM_GROUPS, NUM_YEARS
from agegender.losses.base import AgePrediction, Method

NUM_TASKS = NUM_YEARS - 1  # T: no task for the oldest class, 100 years and more
_NO_MASS = 1e-6  # a smaller sum of differences of float32 probabilities is a rounding error


class Ordinal(Method):
    """A method that answers T = 100 questions y > k; a face older than 100 counts as 100.

    The loss is the mean of the cross-entropies of all answers. So it starts at log 2 = 0.69, as the gender loss does,
    and the same learning rate suits it as other losses; with a sum over the tasks it would start at 69. Adam is
    invariant to a common factor, so `gender_weight=0.01` has the balance of a sum.

    Args:
        num_outputs: width of the age head.
        gender_weight: of the gender loss; the weight of the age loss is 1.
        num_groups: G, number of age groups.
    """

    coarse_years = False
    thresholds: Tensor

    def __init__(
        self, num_outputs: int = NUM_TASKS, *, gender_weight: float = 1.0, num_groups: int = NUM_GROUPS
    ) -> None:
        super().__init__(num_outputs, gender_weight=gender_weight, num_groups=num_groups)
        self.register_buffer("thresholds", torch.arange(NUM_TASKS), persistent=False)

    def older(self, years: Tensor) -> Tensor:
        """Return the answers for true ages, int64 (B,): 1 if y > k, else 0, float32 (B, T)."""
        return (years[:, None] > self.thresholds).float()

    def logits(self, outputs: Tensor) -> Tensor:
        """Return one logit per task, (B, T), of raw outputs (B, num_outputs)."""
        return outputs

    def probabilities(self, outputs: Tensor) -> Tensor:
        """Return P(y > k), (B, T), of raw outputs (B, num_outputs)."""
        return self.logits(outputs).sigmoid()

    def forward(self, outputs: Tensor, group: Tensor, years: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(self.logits(outputs), self.older(years))

    def group_probabilities(self, older: Tensor, years: Tensor) -> Tensor:
        """Return the probabilities of the groups, (B, G), rows sum to 1.

        The probability of a group is the sum of P(y = k) = P(y > k - 1) - P(y > k) over its ages. Inconsistent answers
        can make it negative; then it is set to 0. Ages that the scheme drops belong to no group; if a face has
        probability only there, it gets the group whose ages are nearest to its years.

        Args:
            older: (B, T) P(y > k).
            years: (B,) predicted ages.
        """
        groups = self.group_of_age[:NUM_YEARS]
        members = groups[:, None] == torch.arange(self.num_groups, device=groups.device)  # (Y, G)
        # P(y > -1) = 1 and P(y > 100) = 0.
        of_age = functional.pad(older, (1, 0), value=1.0) - functional.pad(older, (0, 1))  # (B, Y)
        # A sum of products, as mixed precision would compute a matrix product in bfloat16.
        of_group = (of_age[:, :, None] * members).sum(dim=1).clamp(min=0)  # (B, G)
        total = of_group.sum(dim=1, keepdim=True)
        nearest = functional.one_hot(self.nearest_group(years).clamp(min=0), self.num_groups)
        return torch.where(total > _NO_MASS, of_group / total.clamp(min=_NO_MASS), nearest.to(of_group.dtype))

    def decode(self, outputs: Tensor) -> AgePrediction:
        older = self.probabilities(outputs)
        years = (older > 0.5).sum(dim=1).to(older.dtype)  # the rank: the number of tasks answered with yes
        return AgePrediction(self.group_probabilities(older, years), years)
