"""OR-CNN: one binary output per age; Niu et al. 2016, "Ordinal regression with multiple output CNN"."""

import torch
from torch import Tensor
from torch.nn import functional

from agegender.labels import NUM_GROUPS
from agegender.losses.options import check_choice
from agegender.losses.ordinal import NUM_TASKS, Ordinal

IMPORTANCES = ("none", "sqrt")


class OrCnn(Ordinal):
    """Sum over the tasks of lambda_k times the cross-entropy of "older than k", the lambda_k summing to 1.

    The paper has a softmax over two outputs per task, which is a sigmoid of their difference: one output is enough.

    Args:
        importance: lambda_k of the tasks. `none`: 1 / T each. `sqrt`, the paper's: proportional to the root of the
            number of training images that are k years old; 0 images count as 1, or the task would never be trained.
        gender_weight: of the gender loss; the weight of the age loss is 1.
        num_groups: G, number of age groups.

    Attributes:
        task_weights: (T,) lambda_k times T; their mean is 1.

    Raises:
        InputError: `importance` is unknown.
    """

    task_weights: Tensor

    def __init__(self, *, importance: str = "none", gender_weight: float = 1.0, num_groups: int = NUM_GROUPS) -> None:
        super().__init__(NUM_TASKS, gender_weight=gender_weight, num_groups=num_groups)
        check_choice("importance", importance, IMPORTANCES)
        self.importance = importance
        self.register_buffer("task_weights", torch.ones(NUM_TASKS))

    def prepare(self, age_counts: Tensor, group_of_age: Tensor) -> None:
        super().prepare(age_counts, group_of_age)
        if self.importance == "sqrt":
            roots = age_counts[:NUM_TASKS].clamp(min=1).float().sqrt()
            self.task_weights.copy_(roots / roots.mean())

    def forward(self, outputs: Tensor, group: Tensor, years: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(outputs, self.older(years), weight=self.task_weights)
