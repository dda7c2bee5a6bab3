"""Ranking-CNN: one binary classifier per age, their decisions counted; Chen et al. 2017, "Using Ranking-CNN for age
estimation".
"""

from torch import Tensor

from agegender.losses.ordinal import NUM_TASKS, Ordinal


class RankingCnn(Ordinal):
    """A softmax over two outputs per age, "not older" and "older"; the age is the number of decisions for "older".

    Theirs are separate networks, one per age, each trained by itself. Here all share one backbone and are two outputs
    of its head: an age head belongs to one network, and 100 networks would have 100 times the parameters and the time
    of every other method (1.15 billion parameters with `small_cnn`), against which no comparison would be fair.

    Args:
        gender_weight: of the gender loss, beside the age loss's 1.
    """

    def __init__(self, *, gender_weight: float = 1.0) -> None:
        super().__init__(2 * NUM_TASKS, gender_weight=gender_weight)

    def logits(self, outputs: Tensor) -> Tensor:
        pairs = outputs.unflatten(1, (NUM_TASKS, 2))
        return pairs[:, :, 1] - pairs[:, :, 0]  # a softmax over two is a sigmoid of their difference
