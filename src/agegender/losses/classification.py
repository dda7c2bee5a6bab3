"""The base of methods that classify: options against the imbalance of the age groups."""

import math

import torch
from torch import Tensor

from agegender.labels import NUM_GROUPS
from agegender.losses.base import Method
from agegender.losses.options import check_choice, check_number

WEIGHTINGS = ("none", "inverse", "sqrt", "effective")
NORMALIZATIONS = ("images", "weights")
ADJUSTMENTS = ("training", "prediction")


class Classification(Method):
    """A method whose outputs are logits of classes, each class within one age group.

    Args:
        num_outputs: number of classes.
        weighting: of the loss of an image whose group has m_i training images, E(m) their mean over the groups.
            `inverse`: E(m) / m_i, eq. 1 of Uraimov & Yoo 2022. `sqrt`: proportional to the root of that. `effective`:
            proportional to 1 over the effective number (1 - beta^m_i) / (1 - beta) of Cui et al. 2019. As in eq. 1,
            the mean weight of the training images is 1, so that the same learning rate suits all weightings.
        effective_beta: beta of the effective number, in [0, 1).
        normalization: divide the weighted sum of a batch by its number of `images`, as eq. 1 says, or by its sum of
            `weights`, as PyTorch does, which cancels the weight in a batch of one class.
        logit_adjustment: tau of Menon et al. 2021: how much of the groups' prior to remove from the prediction, from 0,
            nothing, to 1, all, which minimizes the balanced error. A group without training images is not adjusted.
        adjust: remove the prior in `training`, by adding tau times the log prior to the logits in the loss, or in the
            `prediction`, by subtracting it from the logits of a network that was trained without.
        gender_weight: of the gender loss; the weight of the age loss is 1.
        num_groups: G, number of age groups.

    Raises:
        InputError: an option is unknown or out of its range.
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
        num_groups: int = NUM_GROUPS,
    ) -> None:
        super().__init__(num_outputs, gender_weight=gender_weight, num_groups=num_groups)
        check_choice("weighting", weighting, WEIGHTINGS)
        check_number("effective_beta", effective_beta, below=1, example=0.999)
        check_choice("normalization", normalization, NORMALIZATIONS)
        check_number("logit_adjustment", logit_adjustment, example=1)
        check_choice("adjust", adjust, ADJUSTMENTS)
        self.weighting = weighting
        self.effective_beta = effective_beta
        self.normalization = normalization
        self.logit_adjustment = logit_adjustment
        self.adjust = adjust

    def class_groups(self) -> Tensor:
        """Return the group of each class, int64 (num_outputs,), -1 for none; here the classes are the groups."""
        return torch.arange(self.num_outputs, device=self.group_counts.device)

    def class_weights(self) -> Tensor:
        """Return the weights of the groups, (G,): 1 without weighting, else 0 for groups without training images."""
        counts = self.group_counts.float()  # the buffer may have the network's lower precision
        if self.weighting == "none":
            return torch.ones_like(counts)
        weights = torch.where(counts > 0, self._rarity(counts.clamp(min=1)), 0.0)
        weighted_sum = (weights * counts).sum().clamp(min=torch.finfo(weights.dtype).tiny)
        return weights * (counts.sum() / weighted_sum)

    def _rarity(self, counts: Tensor) -> Tensor:
        """Return weights, (G,), up to a common factor, of groups with these numbers of images, at least 1 each."""
        if self.weighting == "inverse":
            return 1 / counts
        if self.weighting == "sqrt":
            return counts.rsqrt()
        # 1 / (1 - beta^m), by expm1: in float32, beta^m would round to 1 for a beta near 1.
        log_beta = math.log(self.effective_beta) if self.effective_beta else -math.inf
        return -1 / torch.expm1(counts * log_beta)

    def reduce(self, losses: Tensor, group: Tensor) -> Tensor:
        """Return the weighted mean, a scalar, of the losses (B,) of images with groups int64 (B,)."""
        weight = self.class_weights()[group]  # (B,)
        losses = losses * weight
        if self.normalization == "images":
            return losses.mean()
        return losses.sum() / weight.sum().clamp(min=torch.finfo(weight.dtype).tiny)  # 0 if all weights are 0

    def _prior_shift(self) -> Tensor:
        """Return tau times the log prior of each class's group, (num_outputs,); 0 for a class without a group.

        Also 0 for a group without training images: any small prior in its place would make the group be predicted.
        """
        counts = self.group_counts.float()
        group = self.class_groups()
        log_prior = torch.where(counts > 0, (counts.clamp(min=1) / counts.sum().clamp(min=1)).log(), 0.0)
        return self.logit_adjustment * torch.where(group >= 0, log_prior[group.clamp(min=0)], 0.0)

    def trained_logits(self, outputs: Tensor) -> Tensor:
        """Return the logits for the loss, (B, num_outputs): adjusted if `adjust` is `training`."""
        return outputs + self._prior_shift() if self.logit_adjustment and self.adjust == "training" else outputs

    def balanced_logits(self, outputs: Tensor) -> Tensor:
        """Return the logits for the prediction, (B, num_outputs): adjusted if `adjust` is `prediction`."""
        return outputs - self._prior_shift() if self.logit_adjustment and self.adjust == "prediction" else outputs
