"""Ranking-CNN: one binary classifier per age, whose decisions are counted; Chen et al. 2017, "Using Ranking-CNN for age
estimation".
"""

from torch import Tensor

from agegender.labels import NUM_GROUPS
from agegender.losses.ordinal import NUM_TASKS, Ordinal


class RankingCnn(Ordinal):
    """A softmax over two outputs per age, "not older" and "older"; the age is the number of decisions for "older".

    The paper trains a separate network for each age. Here all classifiers share one backbone and are two outputs each
    of its age head: 100 networks would have 100 times the parameters and the training time of any other method (1.15
    billion parameters with `small_cnn`), so the comparison would not be fair.

    Args:
        gender_weight: of the gender loss; the weight of the age loss is 1.
        num_groups: G, number of age groups.
    """

    def __init__(self, *, gender_weight: float = 1.0, num_groups: int = NUM_GROUPS) -> None:
        super().__init__(2 * NUM_TASKS, gender_weight=gender_weight, num_groups=num_groups)

    def logits(self, outputs: Tensor) -> Tensor:
        pairs = outputs.unflatten(1, (NUM_TASKS, 2))
        return pairs[:, :, 1] - pairs[:, :, 0]  # a softmax over two is a sigmoid of their difference
