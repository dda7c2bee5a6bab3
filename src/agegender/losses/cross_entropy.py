"""Classification of age groups, plain or weighted against imbalance; Uraimov & Yoo 2022, eq. 1."""

import torch
from torch import Tensor
from torch.nn import functional

from agegender.errors import InputError
from agegender.labels import NUM_GROUPS
from agegender.losses.base import AgePrediction, Method

NORMALIZATIONS = ("images", "weights")


class CrossEntropy(Method):
    """Cross-entropy over the G groups.

    Args:
        weighted: weight class i by E(m) / m_i, m_i its training images and E their mean over classes (eq. 1).
        normalization: divide the weighted sum of a batch by its number of `images`, which keeps eq. 1 literal, or by
            its sum of `weights`, as PyTorch does, which cancels the weight of a batch of one class.
        gender_weight: of the gender loss, beside the age loss's 1.
    """

    coarse_years = True

    def __init__(self, *, weighted: bool = False, normalization: str = "images", gender_weight: float = 1.0) -> None:
        super().__init__(NUM_GROUPS, gender_weight=gender_weight)
        if normalization not in NORMALIZATIONS:
            raise InputError(f"loss.normalization={normalization}: choose one of {', '.join(NORMALIZATIONS)}")
        self.weighted = weighted
        self.normalization = normalization

    def class_weights(self) -> Tensor:
        """(G,) weights; all 1 without weighting, and 0 for a class without training images."""
        if not self.weighted:
            return torch.ones_like(self.group_counts)
        present = self.group_counts > 0
        mean = self.group_counts.sum() / present.sum().clamp(min=1)
        return torch.where(present, mean / self.group_counts.clamp(min=1), 0.0)

    def forward(self, outputs: Tensor, group: Tensor, years: Tensor) -> Tensor:
        weight = self.class_weights()[group]  # (B,)
        losses = functional.cross_entropy(outputs, group, reduction="none") * weight
        if self.normalization == "images":
            return losses.mean()
        return losses.sum() / weight.sum().clamp(min=torch.finfo(weight.dtype).tiny)  # 0 where all weigh nothing

    def decode(self, outputs: Tensor) -> AgePrediction:
        probabilities = outputs.softmax(dim=1)  # (B, G)
        return AgePrediction(probabilities, self.group_years[probabilities.argmax(dim=1)])
