"""CORAL: one score per face, one bias per age; Cao, Mirjalili & Raschka 2020, "Rank consistent ordinal regression for
neural networks with application to age estimation".
"""

import torch
from torch import Tensor, nn

from agegender.losses.options import check_choice, check_number
from agegender.losses.ordinal import NUM_TASKS, Ordinal

BIAS_INITS = ("descending", "prior")


class Coral(Ordinal):
    """P(y > k) = sigmoid(score + bias k): the tasks share their weights, which leaves one output, and differ in a bias.

    The loss is that of OR-CNN with tasks of equal importance; at its minimum the biases descend, so that P(y > k)
    never rises with k. The biases belong to the method: they are trained and saved with it.

    Biases far apart are what makes a prediction sharp, and Adam moves a number by the learning rate per step at most:
    by 1.5 in the paper's 30 epochs at 1e-4, where ages 0 to 99 need more than 10. The authors train for 200 epochs.
    Hence the two options; `descending` and 1 are the authors' own code.

    Args:
        bias_init: `prior`: the log odds of being older than k in the training set, so that the score need only tell
            how a face differs from the others. `descending`: 1 to 0.01, as in coral-pytorch 1.4.0.
        bias_rate: factor on the biases' learning rate, under an optimizer that is indifferent to the scale of the
            gradient, as Adam is; above 0. Here the biases are this many times their parameters.
        gender_weight: of the gender loss, beside the age loss's 1.

    Attributes:
        first_bias: (T,) the biases before training.
        bias_shift: (T,) parameters; what training has added, over `bias_rate`.

    Raises:
        InputError: no such initialization, or a rate that is not above 0.
    """

    first_bias: Tensor

    def __init__(self, *, bias_init: str = "prior", bias_rate: float = 10.0, gender_weight: float = 1.0) -> None:
        super().__init__(1, gender_weight=gender_weight)
        check_choice("bias_init", bias_init, BIAS_INITS)
        check_number("bias_rate", bias_rate, positive=True, example=10)
        self.bias_init, self.bias_rate = bias_init, bias_rate
        self.register_buffer("first_bias", torch.arange(NUM_TASKS, 0, -1) / NUM_TASKS)
        self.bias_shift = nn.Parameter(torch.zeros(NUM_TASKS))

    @property
    def bias(self) -> Tensor:
        """(T,) biases as they are now."""
        return self.first_bias + self.bias_rate * self.bias_shift

    def prepare(self, age_counts: Tensor, group_of_age: Tensor) -> None:
        super().prepare(age_counts, group_of_age)
        if self.bias_init == "prior":
            not_older = age_counts.cumsum(dim=0)[:NUM_TASKS]
            older = age_counts.sum() - not_older
            self.first_bias.copy_(((older + 1) / (not_older + 1)).log())  # one more of each: finite where none is

    def logits(self, outputs: Tensor) -> Tensor:
        return outputs + self.bias
