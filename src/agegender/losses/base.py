"""The interface of all methods: `num_outputs`, `forward` (the loss), `decode` (to groups and years)."""

import math
from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from agegender.labels import NUM_AGES, NUM_GROUPS


class AgePrediction(NamedTuple):
    """The prediction of every method, so that all rows of a table can be compared.

    Attributes:
        group: (B, G) probabilities, rows sum to 1.
        years: (B,) predicted age in years.
    """

    group: Tensor
    years: Tensor


class Method(nn.Module, ABC):
    """A method to predict age: a loss and how to decode the outputs.

    Statistics of the training set that it needs are buffers, so that a checkpoint needs no data set.

    Args:
        num_outputs: width of the age head.
        gender_weight: of the gender loss; the weight of the age loss is 1.
        num_groups: G, number of age groups.

    Attributes:
        needs_years: whether it learns from ages in years, not from groups alone.
        coarse_years: whether `decode` returns the typical age of a group instead of an age for each face.
        group_counts: (G,) training images of each group.
        group_years: (G,) median age of the training images of each group.
        group_of_age: (A,) group of each age in years, -1 where the scheme drops it.
    """

    needs_years: bool = True
    coarse_years: bool
    group_counts: Tensor
    group_years: Tensor
    group_of_age: Tensor

    def __init__(self, num_outputs: int, *, gender_weight: float = 1.0, num_groups: int = NUM_GROUPS) -> None:
        super().__init__()
        self.num_outputs = num_outputs
        self.num_groups = num_groups
        self.gender_weight = gender_weight
        self.register_buffer("group_counts", torch.zeros(num_groups))
        self.register_buffer("group_years", torch.zeros(num_groups))
        self.register_buffer("group_of_age", torch.full((NUM_AGES,), -1))

    def prepare(self, age_counts: Tensor, group_of_age: Tensor) -> None:
        """Store the statistics of the training set, once, before training.

        Args:
            age_counts: int64 (A,) training images of each age in years.
            group_of_age: int64 (A,) group of each age, -1 where the scheme drops it.
        """
        self.group_of_age.copy_(group_of_age)
        for group in range(self.num_groups):
            counts = torch.where(group_of_age == group, age_counts, 0)
            self.group_counts[group] = counts.sum()
            if counts.sum() == 0:  # no training image: take the median of the group's own ages
                counts = (group_of_age == group).long()
            ages = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
            self.group_years[group] = ages.median()

    def nearest_group(self, years: Tensor) -> Tensor:
        """Return the group of the nearest age with a group, int64 (B,), for years (B,); a tie goes to the younger."""
        ages = torch.arange(NUM_AGES, device=years.device)
        distance = (years[:, None] - ages).abs().masked_fill(self.group_of_age < 0, math.inf)  # (B, A)
        return self.group_of_age[distance.argmin(dim=1)]  # argmin returns the first minimum; -1 before `prepare`

    @abstractmethod
    def forward(self, outputs: Tensor, group: Tensor, years: Tensor) -> Tensor:
        """Compute the age loss of a batch.

        Args:
            outputs: (B, num_outputs), raw.
            group: int64 (B,) true groups.
            years: int64 (B,) true ages.

        Returns:
            A scalar.
        """

    @abstractmethod
    def decode(self, outputs: Tensor) -> AgePrediction:
        """Turn raw outputs (B, num_outputs) into groups and years."""
