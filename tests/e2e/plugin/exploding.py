"""A network outside the package, with a defect: also the proof that a new model touches no existing file."""

import torch
from torch import Tensor, nn

from agegender.models.heads import FaceOutputs, TwoHeads


class Exploding(nn.Module):
    """Works until it is trained."""

    def __init__(self, num_outputs: int, image_size: int, *, dropout: float = 0.0, weights: str | None = None) -> None:
        super().__init__()
        self.heads = TwoHeads(3, num_outputs)

    def forward(self, images: Tensor) -> FaceOutputs:
        if self.training and torch.is_grad_enabled():
            raise RuntimeError("the network exploded | [bold] <script>")
        return self.heads(images.mean(dim=(2, 3)))
