"""CORN: each task given the one before it; Shi, Cao & Raschka 2021, "Deep neural networks for rank-consistent ordinal
regression based on conditional probabilities".
"""

from torch import Tensor
from torch.nn import functional

from agegender.losses.ordinal import NUM_TASKS, Ordinal


class Corn(Ordinal):
    """Task k tells P(y > k | y > k - 1): faces of k years and more train it. Their product never rises with k.

    The loss is, as printed, the sum over the tasks divided by the number of faces that they were trained on, a face
    counting once per task: again a mean over answers. A task without a face in the batch adds nothing to either.

    Args:
        gender_weight: of the gender loss, beside the age loss's 1.
    """

    def __init__(self, *, gender_weight: float = 1.0) -> None:
        super().__init__(NUM_TASKS, gender_weight=gender_weight)

    def probabilities(self, outputs: Tensor) -> Tensor:
        return functional.logsigmoid(outputs).cumsum(dim=1).exp()  # a product of 100 factors, without underflow

    def forward(self, outputs: Tensor, group: Tensor, years: Tensor) -> Tensor:
        asked = (years[:, None] >= self.thresholds).float()  # (B, T), y > k - 1; every face has task 0
        losses = functional.binary_cross_entropy_with_logits(outputs, self.older(years), weight=asked, reduction="sum")
        return losses / asked.sum()
