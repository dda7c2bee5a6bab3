"""Regression: the age in years is the output itself; Yi et al. 2014."""

import torch
from torch import Tensor
from torch.nn import functional

from agegender.labels import NUM_AGES, NUM_GROUPS, NUM_YEARS
from agegender.losses.base import AgePrediction, Method
from agegender.losses.options import check_choice

NORMS = ("l1", "mse")


class Regression(Method):
    """One output: the age in standard deviations from the mean of the training ages.

    The group is that of the predicted age, rounded to a year (a half goes to the younger), or, if the scheme drops
    this age, that of the nearest age with a group. Its probability is always 1, so it does not express how certain the
    prediction is.

    Args:
        norm: `l1`, the absolute error, or `mse`, the squared error, of standardized years.
        gender_weight: of the gender loss; the weight of the age loss is 1.
        num_groups: G, number of age groups.

    Attributes:
        mean_years: () mean of the training ages.
        std_years: () their standard deviation; 1 if all ages are equal.
    """

    coarse_years = False
    mean_years: Tensor
    std_years: Tensor

    def __init__(self, *, norm: str = "l1", gender_weight: float = 1.0, num_groups: int = NUM_GROUPS) -> None:
        super().__init__(1, gender_weight=gender_weight, num_groups=num_groups)
        check_choice("norm", norm, NORMS)
        self.norm = norm
        self.register_buffer("mean_years", torch.zeros(()))
        self.register_buffer("std_years", torch.ones(()))

    def prepare(self, age_counts: Tensor, group_of_age: Tensor) -> None:
        super().prepare(age_counts, group_of_age)
        counts = torch.where(group_of_age >= 0, age_counts, 0).double()  # (A,) of the ages that are trained on
        num_images = counts.sum().clamp(min=1)
        ages = torch.arange(NUM_AGES, device=counts.device)
        mean = (counts * ages).sum() / num_images
        variance = (counts * (ages - mean) ** 2).sum() / num_images
        self.mean_years.copy_(mean)
        self.std_years.copy_(torch.where(variance > 0, variance.sqrt(), 1.0))

    def forward(self, outputs: Tensor, group: Tensor, years: Tensor) -> Tensor:
        target = (years.to(outputs.dtype) - self.mean_years) / self.std_years
        loss = functional.l1_loss if self.norm == "l1" else functional.mse_loss
        return loss(outputs.squeeze(1), target)

    def decode(self, outputs: Tensor) -> AgePrediction:
        years = (outputs.squeeze(1) * self.std_years + self.mean_years).clamp(0, NUM_YEARS - 1)
        group = self.nearest_group(years)
        return AgePrediction(
            (group[:, None] == torch.arange(self.num_groups, device=years.device)).to(years.dtype), years
        )
