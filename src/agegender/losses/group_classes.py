"""The base of methods that classify age groups."""

from typing import Any

from torch import Tensor

from agegender.labels import NUM_GROUPS
from agegender.losses.base import AgePrediction
from agegender.losses.classification import Classification


class GroupClasses(Classification):
    """A method whose outputs are logits of the G groups; its age is the median training age of the likeliest group.

    Args:
        options: see `Classification`.
    """

    needs_years = False
    coarse_years = True

    def __init__(self, **options: Any) -> None:
        super().__init__(options.get("num_groups", NUM_GROUPS), **options)

    def decode(self, outputs: Tensor) -> AgePrediction:
        probabilities = self.balanced_logits(outputs).softmax(dim=1)  # (B, G)
        return AgePrediction(probabilities, self.group_years[probabilities.argmax(dim=1)])
