"""Mean and deviation of pixels: what a network's images are normalized by.

ImageNet's for networks from scratch and for torchvision's weights. Weights that timm publishes may expect others, such
as 0.5 for many vision transformers.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Normalization:
    """Mean and standard deviation of pixels in [0, 1], RGB.

    Attributes:
        source: whose they are: "ImageNet", or the weights that expect them.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    source: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain containers, for checkpoints and records."""
        return {**asdict(self), "mean": list(self.mean), "std": list(self.std)}


IMAGENET = Normalization((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "ImageNet")


def from_dict(content: Mapping[str, Any] | None) -> Normalization:
    """Return what `to_dict` gave; ImageNet's for None: checkpoints of before there were others."""
    if content is None:
        return IMAGENET
    mean, std = tuple(content["mean"]), tuple(content["std"])
    return Normalization(mean, std, str(content["source"]))


class Normalizer(nn.Module):
    """Scales images to zero mean and unit deviation.

    Its numbers are no part of the state: a checkpoint names them by themselves.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, normalization: Normalization) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(3), persistent=False)
        self.register_buffer("std", torch.ones(3), persistent=False)
        self.use(normalization)

    def use(self, normalization: Normalization) -> None:
        """Normalize by these numbers from now on."""
        self.normalization = normalization
        self.mean.copy_(torch.tensor(normalization.mean) * 255)
        self.std.copy_(torch.tensor(normalization.std) * 255)

    def forward(self, images: Tensor) -> Tensor:
        """Scale uint8 (B, 3, H, W), to float32, by rows of W x 3 values.

        Three channels side by side are too few for a vector unit: broadcast over (B, 3, H, W) this took 13 ms for 32
        images of 256 pixels on two CPU cores, by rows 3 ms. An exported graph, which runs elsewhere, has it plain.
        """
        if torch.compiler.is_exporting():
            return (images.float() - self.mean.view(3, 1, 1)) / self.std.view(3, 1, 1)
        rows = images.permute(0, 2, 3, 1).flatten(2).float()  # (B, H, W x 3), where channels are last in memory a view
        width = images.shape[3]
        rows = rows.sub_(self.mean.repeat(width)).div_(self.std.repeat(width))
        return rows.unflatten(2, (width, 3)).permute(0, 3, 1, 2)
