"""The network of Levi & Hassner 2015 for Adience, 11.4 M parameters; the small CNN of Uraimov & Yoo 2022 follows it."""

from torch import Tensor, nn

from agegender.models.heads import FaceOutputs, TwoHeads
from agegender.models.weights import load_pretrained


class LeviHassner(nn.Module):
    """Three convolution stages with local response normalization, two fully connected layers.

    Args:
        num_outputs: width of the age head; the method's choice.
        image_size: pixels of a side; the original takes crops of 227 out of 256.
        dropout: after each fully connected layer.
        weights: a file of pretrained weights.
    """

    def __init__(
        self, num_outputs: int, image_size: int = 227, *, dropout: float = 0.5, weights: str | None = None
    ) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 96, 7, stride=4),
            nn.ReLU(inplace=True),
            _pool(),
            nn.LocalResponseNorm(5, 1e-4, 0.75),
            nn.Conv2d(96, 256, 5, padding=2),
            nn.ReLU(inplace=True),
            _pool(),
            nn.LocalResponseNorm(5, 1e-4, 0.75),
            nn.Conv2d(256, 384, 3, padding=1),
            nn.ReLU(inplace=True),
            _pool(),
        )
        side = (image_size - 7) // 4 + 1
        for _ in range(3):
            side = -((side - 3) // -2) + 1  # pooling rounds up
        if side < 1:
            raise ValueError(f"image_size={image_size} leaves nothing after the last pooling")
        self.hidden = nn.Sequential(
            nn.Flatten(),
            nn.Linear(384 * side * side, 512),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(512, 512),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
        )
        self.heads = TwoHeads(512, num_outputs)
        load_pretrained(self, weights)

    def forward(self, images: Tensor) -> FaceOutputs:
        """Read normalized (B, 3, H, W)."""
        return self.heads(self.hidden(self.features(images)))


def _pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)  # Caffe's rounding, as in the original
