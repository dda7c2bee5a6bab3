"""CORAL: one score per face, one bias per age; Cao, Mirjalili & Raschka 2020, "Rank consistent ordinal regression for
neural networks with application to age estimation".
"""

import torch
from torch import Tensor, nn

from agegender.labels import NUM_GROUPS
from agegender.losses.options import check_choice, check_number
from agegender.losses.ordinal import NUM_TASKS, Ordinal

BIAS_INITS = ("descending", "prior")


class Coral(Ordinal):
    """P(y > k) = sigmoid(score + bias k): all tasks share one output, the score, and differ only in their biases.

    The loss is that of OR-CNN with tasks of equal importance; at its minimum the biases descend, so that P(y > k)
    never rises with k. The biases belong to the method: they are trained and saved with it.

    Sharp predictions need biases that are far apart, and Adam changes a parameter by at most about the learning rate
    per step: by 1.5 in the 30 epochs at 1e-4 of Uraimov & Yoo 2022, while ages 0 to 99 need more than 10. The authors
    of CORAL train for 200 epochs. Hence the two options; the authors' own code has `descending` and 1.

    Args:
        bias_init: `prior`: the log odds of being older than k in the training set, so that the score only has to learn
            how a face differs from the average. `descending`: 1 to 0.01, as in coral-pytorch 1.4.0.
        bias_rate: factor on the biases' learning rate, above 0; for optimizers that are invariant to the scale of the
            gradient, such as Adam. The biases are this factor times their parameters.
        gender_weight: of the gender loss; the weight of the age loss is 1.
        num_groups: G, number of age groups.

    Attributes:
        first_bias: (T,) the biases before training.
        bias_shift: (T,) parameters: the change of the biases by training, divided by `bias_rate`.

    Raises:
        InputError: no such initialization, or a rate that is not above 0.
    """

    first_bias: Tensor

    def __init__(
        self,
        *,
        bias_init: str = "prior",
        bias_rate: float = 10.0,
        gender_weight: float = 1.0,
        num_groups: int = NUM_GROUPS,
    ) -> None:
        super().__init__(1, gender_weight=gender_weight, num_groups=num_groups)
        check_choice("bias_init", bias_init, BIAS_INITS)
        check_number("bias_rate", bias_rate, positive=True, example=10)
        self.bias_init = bias_init
        self.bias_rate = bias_rate
        self.register_buffer("first_bias", torch.arange(NUM_TASKS, 0, -1) / NUM_TASKS)
        self.bias_shift = nn.Parameter(torch.zeros(NUM_TASKS))

    @property
    def bias(self) -> Tensor:
        """Return the current biases, (T,)."""
        return self.first_bias + self.bias_rate * self.bias_shift

    def prepare(self, age_counts: Tensor, group_of_age: Tensor) -> None:
        super().prepare(age_counts, group_of_age)
        if self.bias_init == "prior":
            not_older = age_counts.cumsum(dim=0)[:NUM_TASKS]
            older = age_counts.sum() - not_older
            self.first_bias.copy_(((older + 1) / (not_older + 1)).log())  # plus 1, so that it is finite

    def logits(self, outputs: Tensor) -> Tensor:
        return outputs + self.bias
