"""The small CNN of Uraimov & Yoo 2022, reconstructed from the paper's text; its table of layers is not available.

Six stages of convolution, ReLU, batch normalization and max-pooling, two fully connected layers of 512 with ReLU and
dropout, two outputs. Thousands of such networks have the 11.5 M parameters that the paper states; two of them are in
`conf/model`.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from agegender.models.heads import FaceOutputs, TwoHeads
from agegender.models.weights import load_pretrained


class SmallCNN(nn.Module):
    """Six convolution stages and two fully connected layers.

    Args:
        num_outputs: width of the age head; the method's choice.
        image_size: pixels of a side; the first fully connected layer depends on it.
        channels: filters of each stage.
        kernels: side of each stage's filters; padded by half of it, rounded down.
        strides: of each stage's convolution.
        pools: side of each stage's max-pooling, 0 for none; its stride is 2.
        num_hidden: width of the fully connected layers.
        dropout: after each fully connected layer.
        weights: a file of pretrained weights.
    """

    def __init__(
        self,
        num_outputs: int,
        image_size: int = 256,
        *,
        channels: Sequence[int] = (96, 256, 512, 512, 512, 512),
        kernels: Sequence[int] = (7, 5, 3, 3, 3, 3),
        strides: Sequence[int] = (4, 1, 1, 1, 1, 1),
        pools: Sequence[int] = (3, 3, 3, 0, 0, 3),
        num_hidden: int = 512,
        dropout: float = 0.5,
        weights: str | None = None,
    ) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        num_in = 3
        side = image_size
        for num_out, kernel, stride, pool in zip(channels, kernels, strides, pools, strict=True):
            convolution = nn.Conv2d(num_in, num_out, kernel, stride, kernel // 2)
            stages += [convolution, nn.ReLU(inplace=True), nn.BatchNorm2d(num_out)]
            side = (side + 2 * (kernel // 2) - kernel) // stride + 1
            if pool:
                stages.append(nn.MaxPool2d(pool, stride=2))
                side = (side - pool) // 2 + 1
            num_in = num_out
        if side < 1:
            raise ValueError(f"image_size={image_size} leaves nothing after the last pooling")
        self.features = nn.Sequential(*stages)
        self.hidden = nn.Sequential(
            nn.Flatten(),
            nn.Linear(num_in * side * side, num_hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(num_hidden, num_hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
        )
        self.heads = TwoHeads(num_hidden, num_outputs)
        load_pretrained(self, weights)

    def forward(self, images: Tensor) -> FaceOutputs:
        """Read normalized (B, 3, H, W)."""
        return self.heads(self.hidden(self.features(images)))
