"""The interface of all methods: `num_outputs`, `forward` (the loss), `decode` (to groups and years)."""

import math
from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from agegender.labels import NUM_AGES, NUM_GROUPS


class AgePrediction(NamedTuple):
    """What every method predicts, so that all rows of a table can be compared.

    Attributes:
        group: (B, G) probabilities, rows sum to 1.
        years: (B,) expected age in years.
    """

    group: Tensor
    years: Tensor


class Method(nn.Module, ABC):
    """A way to predict age.

    What it needs to know of the training set is kept in buffers: a checkpoint needs no data set.

    Args:
        num_outputs: width of the age head.
        gender_weight: of the gender loss, beside the age loss's 1.

    Attributes:
        coarse_years: whether `decode` gives the typical age of a group rather than an age of its own.
        group_counts: (G,) training images of each group.
        group_years: (G,) median age of the training images of each group.
        group_of_age: (A,) group of each age in years, -1 where the scheme drops it.
    """

    coarse_years: bool
    group_counts: Tensor
    group_years: Tensor
    group_of_age: Tensor

    def __init__(self, num_outputs: int, *, gender_weight: float = 1.0) -> None:
        super().__init__()
        self.num_outputs = num_outputs
        self.gender_weight = gender_weight
        self.register_buffer("group_counts", torch.zeros(NUM_GROUPS))
        self.register_buffer("group_years", torch.zeros(NUM_GROUPS))
        self.register_buffer("group_of_age", torch.full((NUM_AGES,), -1))

    def prepare(self, age_counts: Tensor, group_of_age: Tensor) -> None:
        """Look at the training set once, before training.

        Args:
            age_counts: int64 (A,) training images of each age in years.
            group_of_age: int64 (A,) group of each age, -1 where the scheme drops it.
        """
        self.group_of_age.copy_(group_of_age)
        for group in range(NUM_GROUPS):
            counts = torch.where(group_of_age == group, age_counts, 0)
            self.group_counts[group] = counts.sum()
            if counts.sum() == 0:  # no training image: any age of the group will do
                counts = (group_of_age == group).long()
            ages = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
            self.group_years[group] = ages.median()

    def nearest_group(self, years: Tensor) -> Tensor:
        """Give years (B,) the group of the nearest age that has one, int64 (B,); of two equally near the younger's."""
        ages = torch.arange(NUM_AGES, device=years.device)
        distance = (years[:, None] - ages).abs().masked_fill(self.group_of_age < 0, math.inf)  # (B, A)
        return self.group_of_age[distance.argmin(dim=1)]  # the first of equals; -1 without `prepare`

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
        """Turn raw outputs (B, num_outputs) into ages."""
