"""What methods that classify share: options against the imbalance of the age groups."""

import math

import torch
from torch import Tensor

from agegender.losses.base import Method
from agegender.losses.options import check_choice, check_number

WEIGHTINGS = ("none", "inverse", "sqrt", "effective")
NORMALIZATIONS = ("images", "weights")
ADJUSTMENTS = ("training", "prediction")


class Classification(Method):
    """A method whose outputs are logits of classes, each class within one age group.

    Args:
        num_outputs: classes.
        weighting: of the loss of an image whose group has m_i training images, E(m) their mean over the groups.
            `inverse`: E(m) / m_i, eq. 1 of Uraimov & Yoo 2022. `sqrt`: the root of that. `effective`: 1 over the
            effective number (1 - beta^m_i) / (1 - beta) of Cui et al. 2019. The last two are scaled so that, like
            eq. 1, they are 1 in the mean over the training images: the learning rate means the same with all.
        effective_beta: beta of the effective number, in [0, 1).
        normalization: divide the weighted sum of a batch by its number of `images`, which keeps eq. 1 literal, or by
            its sum of `weights`, as PyTorch does, which cancels the weight of a batch of one class.
        logit_adjustment: tau of Menon et al. 2021, how much of the groups' prior is taken out of the prediction: 0
            nothing, 1 all, which minimizes the balanced error. A group without training images stays as it is.
        adjust: take it out in `training`, by a loss of the logits plus tau times the log prior, or in the
            `prediction`, by subtracting that from the logits of a network trained without.
        gender_weight: of the gender loss, beside the age loss's 1.

    Raises:
        InputError: an option is out of its range.
    """

    def __init__(
        self,
        num_outputs: int,
        *,
        weighting: str = "none",
        effective_beta: float = 0.999,
        normalization: str = "images",
        logit_adjustment: float = 0.0,
        adjust: str = "training",
        gender_weight: float = 1.0,
    ) -> None:
        super().__init__(num_outputs, gender_weight=gender_weight)
        check_choice("weighting", weighting, WEIGHTINGS)
        check_number("effective_beta", effective_beta, below=1, example=0.999)
        check_choice("normalization", normalization, NORMALIZATIONS)
        check_number("logit_adjustment", logit_adjustment, example=1)
        check_choice("adjust", adjust, ADJUSTMENTS)
        self.weighting, self.effective_beta, self.normalization = weighting, effective_beta, normalization
        self.logit_adjustment, self.adjust = logit_adjustment, adjust

    def class_groups(self) -> Tensor:
        """Give the group of each class, int64 (num_outputs,), -1 for none; here the classes are the groups."""
        return torch.arange(self.num_outputs, device=self.group_counts.device)

    def class_weights(self) -> Tensor:
        """(G,) weights of the groups; all 1 without weighting, and 0 for a group without training images."""
        counts = self.group_counts.float()  # whatever precision the network is trained in
        if self.weighting == "none":
            return torch.ones_like(counts)
        weights = torch.where(counts > 0, self._rarity(counts.clamp(min=1)), 0.0)
        weighed_images = (weights * counts).sum().clamp(min=torch.finfo(weights.dtype).tiny)
        return weights * (counts.sum() / weighed_images)

    def _rarity(self, counts: Tensor) -> Tensor:
        """(G,) weights, but for their scale, of groups of so many images, at least 1 each."""
        if self.weighting == "inverse":
            return 1 / counts
        if self.weighting == "sqrt":
            return counts.rsqrt()
        # 1 / (1 - beta^m): in float32 beta^m itself rounds to 1 for a beta near 1.
        log_beta = math.log(self.effective_beta) if self.effective_beta else -math.inf
        return -1 / torch.expm1(counts * log_beta)

    def reduce(self, losses: Tensor, group: Tensor) -> Tensor:
        """Weigh the losses of a batch's images, (B,) with groups int64 (B,), into a scalar."""
        weight = self.class_weights()[group]  # (B,)
        losses = losses * weight
        if self.normalization == "images":
            return losses.mean()
        return losses.sum() / weight.sum().clamp(min=torch.finfo(weight.dtype).tiny)  # 0 where all weigh nothing

    def _shift(self) -> Tensor:
        """(num_outputs,) tau times the log prior of each class's group; 0 for a class of no group or of one never seen.

        A group never seen has no prior to take out: a small one in its place would have it predicted.
        """
        counts, group = self.group_counts.float(), self.class_groups()
        log_prior = torch.where(counts > 0, (counts.clamp(min=1) / counts.sum().clamp(min=1)).log(), 0.0)
        return self.logit_adjustment * torch.where(group >= 0, log_prior[group.clamp(min=0)], 0.0)

    def trained_logits(self, outputs: Tensor) -> Tensor:
        """Give the logits (B, num_outputs) that the loss sees: adjusted if that is done in training."""
        return outputs + self._shift() if self.logit_adjustment and self.adjust == "training" else outputs

    def balanced_logits(self, outputs: Tensor) -> Tensor:
        """Give the logits (B, num_outputs) with the groups' prior taken out as far as `logit_adjustment` says."""
        return outputs - self._shift() if self.logit_adjustment and self.adjust == "prediction" else outputs
