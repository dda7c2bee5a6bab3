"""A network that takes its time, so that a test meets its job in the middle of an epoch; it can be made to fail."""

import time
from pathlib import Path

import torch
from torch import Tensor, nn

from agegender.models.heads import FaceOutputs, TwoHeads


class Slow(nn.Module):
    """Reads the mean colour; in training it waits, and raises where a file lies in its way."""

    def __init__(
        self,
        num_outputs: int,
        image_size: int,
        *,
        trap: str,
        pause: float,
        dropout: float = 0.0,
        weights: str | None = None,
    ) -> None:
        super().__init__()
        self.trap, self.pause = Path(trap), pause
        self.dropout = nn.Dropout(dropout)
        self.heads = TwoHeads(3, num_outputs)

    def forward(self, images: Tensor) -> FaceOutputs:
        if self.training and torch.is_grad_enabled():
            if self.trap.exists():
                raise RuntimeError(f"there is a trap at {self.trap}")
            time.sleep(self.pause)
        return self.heads(self.dropout(images.mean(dim=(2, 3))))
