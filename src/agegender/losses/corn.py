"""CORN: each task is conditional on the one before; Shi, Cao & Raschka 2021, "Deep neural networks for rank-consistent
ordinal regression based on conditional probabilities".
"""

from torch import Tensor
from torch.nn import functional

from agegender.labels import NUM_GROUPS
from agegender.losses.ordinal import NUM_TASKS, Ordinal


class Corn(Ordinal):
    """Task k predicts P(y > k | y > k - 1), trained on faces of k years or more; the product never rises with k.

    The loss is, as in the paper, the sum over all tasks and faces divided by the number of (task, face) pairs: a mean
    over answers, as in the other ordinal methods. A task without a face in the batch adds nothing to either.

    Args:
        gender_weight: of the gender loss; the weight of the age loss is 1.
        num_groups: G, number of age groups.
    """

    def __init__(self, *, gender_weight: float = 1.0, num_groups: int = NUM_GROUPS) -> None:
        super().__init__(NUM_TASKS, gender_weight=gender_weight, num_groups=num_groups)

    def probabilities(self, outputs: Tensor) -> Tensor:
        return functional.logsigmoid(outputs).cumsum(dim=1).exp()  # a product of 100 factors, without underflow

    def forward(self, outputs: Tensor, group: Tensor, years: Tensor) -> Tensor:
        has_task = (years[:, None] >= self.thresholds).float()  # (B, T), y > k - 1; every face has task 0
        answers = self.older(years)
        loss = functional.binary_cross_entropy_with_logits(outputs, answers, weight=has_task, reduction="sum")
        return loss / has_task.sum()
