"""Label distribution learning with an expectation loss (DLDL-v2), Gao et al. 2018."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from agegender.labels import NUM_YEARS
from agegender.losses.age_classes import AgeClasses
from agegender.losses.options import check_number


def gaussian_labels(sigma: float) -> Tensor:
    """Return the label distribution of each true age, float32 (Y, Y): a Gaussian over the ages, rows sum to 1.

    Args:
        sigma: standard deviation in years.
    """
    ages = torch.arange(NUM_YEARS, dtype=torch.float64)
    distance = (ages - ages[:, None]) / sigma  # (Y, Y)
    return (-(distance**2) / 2).softmax(dim=1).float()


class LabelDistribution(AgeClasses):
    """KL(q || p) + expectation_weight |E_p - y|: p the predicted distribution, q a Gaussian around the true age y.

    Args:
        sigma: standard deviation of q in years; the paper's is 2.
        expectation_weight: lambda, of the error of the expected age in years; the paper's is 1.
        options: see `Classification`.
    """

    labels: Tensor

    def __init__(self, *, sigma: float = 2.0, expectation_weight: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        check_number("sigma", sigma, positive=True, example=2)
        check_number("expectation_weight", expectation_weight, example=1)
        self.expectation_weight = expectation_weight
        self.register_buffer("labels", gaussian_labels(sigma), persistent=False)

    def image_losses(self, log_probabilities: Tensor, years: Tensor) -> Tensor:
        """Compute the losses of a batch's images, (B,), from the ages' log probabilities (B, Y) and true ages (B,)."""
        ages = self.age_classes(years)
        divergence = functional.kl_div(log_probabilities, self.labels[ages], reduction="none").sum(dim=1)
        return divergence + self.expectation_weight * (self.expectation(log_probabilities.exp()) - ages).abs()

    def forward(self, outputs: Tensor, group: Tensor, years: Tensor) -> Tensor:
        return self.reduce(self.image_losses(self.trained_logits(outputs).log_softmax(dim=1), years), group)
