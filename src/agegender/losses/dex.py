"""Deep expectation (DEX): ages as classes, predicted by their expectation; Rothe et al. 2015, 2018."""

from torch import Tensor
from torch.nn import functional

from agegender.losses.age_classes import AgeClasses


class Dex(AgeClasses):
    """Cross-entropy over the Y ages.

    Args:
        options: see `Classification`.
    """

    def forward(self, outputs: Tensor, group: Tensor, years: Tensor) -> Tensor:
        logits, ages = self.trained_logits(outputs), self.age_classes(years)
        return self.reduce(functional.cross_entropy(logits, ages, reduction="none"), group)
