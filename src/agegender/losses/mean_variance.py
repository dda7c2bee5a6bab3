"""Mean-variance loss, Pan et al. 2018."""

from typing import Any

from torch import Tensor
from torch.nn import functional

from agegender.losses.age_classes import AgeClasses
from agegender.losses.options import check_number


class MeanVariance(AgeClasses):
    """Cross-entropy over the Y ages + mean_weight (E_p - y)^2 / 2 + variance_weight Var_p.

    E_p and Var_p are the mean and the variance of the predicted distribution, y the true age.

    Args:
        mean_weight: lambda_1, of the squared error of the mean in years; the paper's is 0.2.
        variance_weight: lambda_2, of the variance in years squared; the paper's is 0.05.
        options: see `Classification`.
    """

    def __init__(self, *, mean_weight: float = 0.2, variance_weight: float = 0.05, **options: Any) -> None:
        super().__init__(**options)
        check_number("mean_weight", mean_weight, example=0.2)
        check_number("variance_weight", variance_weight, example=0.05)
        self.mean_weight = mean_weight
        self.variance_weight = variance_weight

    def forward(self, outputs: Tensor, group: Tensor, years: Tensor) -> Tensor:
        ages = self.age_classes(years)
        log_probabilities = self.trained_logits(outputs).log_softmax(dim=1)
        probabilities = log_probabilities.exp()
        mean = self.expectation(probabilities)
        variance = (probabilities * (self.ages - mean[:, None]) ** 2).sum(dim=1)
        losses = functional.nll_loss(log_probabilities, ages, reduction="none")
        losses = losses + self.mean_weight * (mean - ages) ** 2 / 2 + self.variance_weight * variance
        return self.reduce(losses, group)
