"""A network without batch normalization, whose gradients do not depend on how a batch is divided."""

from torch import Tensor, nn

from agegender.models.heads import FaceOutputs, TwoHeads


class Unnormalized(nn.Module):
    """One convolution."""

    def __init__(self, num_outputs: int, image_size: int, *, dropout: float = 0.0, weights: str | None = None) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 5, 4), nn.ReLU(), nn.Flatten())
        self.heads = TwoHeads(8 * ((image_size - 5) // 4 + 1) ** 2, num_outputs)

    def forward(self, images: Tensor) -> FaceOutputs:
        return self.heads(self.body(images))
