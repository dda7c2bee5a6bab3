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
        losses = functional.cross_entropy(self.trained_logits(outputs), self.age_classes(years), reduction="none")
        return self.reduce(losses, group)
