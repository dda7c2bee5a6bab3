"""The base of methods that classify ages in years; Rothe et al. 2018 predict their expectation."""

import math
from typing import Any

import torch
from torch import Tensor

from agegender.labels import NUM_YEARS
from agegender.losses.base import AgePrediction
from agegender.losses.classification import Classification
from agegender.losses.options import check_choice


class AgeClasses(Classification):
    """A method whose outputs are logits of the Y ages 0 to 100; an older face counts as 100.

    Groups are decoded with `logit_adjustment` applied. Years are decoded without it, since the error in years is
    measured on images with the prior of the training set. Expectations are computed as sums of products, not as matrix
    products, which a run in bfloat16 would round to a quarter of a year.

    Args:
        years: `expectation` of the ages' distribution, as published, or its `median`, which has the smallest absolute
            error if the distribution is right.
        options: see `Classification`.

    Raises:
        InputError: an option is unknown or out of its range.
    """

    coarse_years = False
    ages: Tensor

    def __init__(self, *, years: str = "expectation", **options: Any) -> None:
        super().__init__(NUM_YEARS, **options)
        check_choice("years", years, ("expectation", "median"))
        self.years = years
        self.register_buffer("ages", torch.arange(NUM_YEARS, dtype=torch.float32), persistent=False)

    def class_groups(self) -> Tensor:
        return self.group_of_age[:NUM_YEARS]

    def age_classes(self, years: Tensor) -> Tensor:
        """Return the class of each true age, int64 (B,)."""
        return years.clamp(max=NUM_YEARS - 1)

    def expectation(self, probabilities: Tensor) -> Tensor:
        """Return the expected age in years, (B,), of the ages' probabilities (B, Y)."""
        return (probabilities * self.ages).sum(dim=1)

    def median(self, probabilities: Tensor) -> Tensor:
        """Return the median age in years, (B,), of the ages' probabilities (B, Y), each spread evenly over its year."""
        younger = self.ages[None, :] < self.ages[:, None]  # (Y, Y)
        below = (probabilities[:, None, :] * younger).sum(dim=2)  # (B, Y)
        share = (0.5 - below) / probabilities.clamp(min=torch.finfo(probabilities.dtype).tiny)
        return share.clamp(0, 1).sum(dim=1) - 0.5

    def group_probabilities(self, logits: Tensor) -> Tensor:
        """Return the probabilities of the groups, (B, G), of logits (B, Y); ages that the scheme drops are left out."""
        groups = self.class_groups()
        members = groups[:, None] == torch.arange(self.num_groups, device=groups.device)  # (Y, G)
        probabilities = logits.masked_fill(groups < 0, -math.inf).softmax(dim=1)  # (B, Y)
        return (probabilities[:, :, None] * members).sum(dim=1)

    def decode(self, outputs: Tensor) -> AgePrediction:
        group = self.group_probabilities(self.balanced_logits(outputs))
        probabilities = self.trained_logits(outputs).softmax(dim=1)
        years = self.median(probabilities) if self.years == "median" else self.expectation(probabilities)
        return AgePrediction(group, years)
