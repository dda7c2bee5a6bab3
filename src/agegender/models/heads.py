"""The two outputs of every network."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn


class FaceOutputs(NamedTuple):
    """Raw outputs of a network.

    Attributes:
        age: (B, num_outputs), input of the method.
        gender: (B, 2) logits, male and female.
        members: in training, the outputs of each member of an ensemble, of which `age` and `gender` are the mean; each
            member has its own loss.
    """

    age: Tensor
    gender: Tensor
    members: tuple["FaceOutputs", ...] = ()

    def float(self) -> "FaceOutputs":
        """Convert all outputs to float32."""
        return FaceOutputs(self.age.float(), self.gender.float(), tuple(member.float() for member in self.members))


def average(outputs: Sequence[FaceOutputs]) -> FaceOutputs:
    """Return the mean of several outputs for the same images."""
    if len(outputs) == 1:
        return outputs[0]
    age, gender = (torch.stack([getattr(one, task) for one in outputs]).mean(dim=0) for task in ("age", "gender"))
    return FaceOutputs(age, gender)


class TwoHeads(nn.Module):
    """Two separate linear layers on shared features; Uraimov & Yoo 2022."""

    def __init__(self, num_features: int, num_outputs: int) -> None:
        super().__init__()
        self.age = nn.Linear(num_features, num_outputs)
        self.gender = nn.Linear(num_features, 2)

    def forward(self, features: Tensor) -> FaceOutputs:
        """Read (B, num_features)."""
        return FaceOutputs(self.age(features), self.gender(features))
