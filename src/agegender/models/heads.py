"""The two outputs that every network has."""

from typing import NamedTuple

from torch import Tensor, nn


class FaceOutputs(NamedTuple):
    """Raw outputs of a network.

    Attributes:
        age: (B, num_outputs), for the method to read.
        gender: (B, 2) logits, male and female.
    """

    age: Tensor
    gender: Tensor


class TwoHeads(nn.Module):
    """Two separate linear outputs on shared features; Uraimov & Yoo 2022."""

    def __init__(self, num_features: int, num_outputs: int) -> None:
        super().__init__()
        self.age = nn.Linear(num_features, num_outputs)
        self.gender = nn.Linear(num_features, 2)

    def forward(self, features: Tensor) -> FaceOutputs:
        """Read (B, num_features)."""
        return FaceOutputs(self.age(features), self.gender(features))
