"""A network that takes its time, so that a test meets its job in the middle of an epoch; it can be made to fail."""

import time
from pathlib import Path

import torch
from torch import Tensor, nn

from agegender.models.heads import FaceOutputs, TwoHeads


class Slow(nn.Module):
    """Reads the mean colour; in training it waits, and fails where a file lies in its way, as that says."""

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
        self.trap = Path(trap)
        self.pause = pause
        self.dropout = nn.Dropout(dropout)
        self.heads = TwoHeads(3, num_outputs)

    def forward(self, images: Tensor) -> FaceOutputs:
        if self.training and torch.is_grad_enabled():
            if self.trap.exists():
                self._spring()
            time.sleep(self.pause)
        return self.heads(self.dropout(images.mean(dim=(2, 3))))

    def _spring(self) -> None:
        if self.trap.read_text() == "memory":
            kept = torch.ones(2 << 30, dtype=torch.uint8)
            time.sleep(20)  # Slurm looks once a second
            raise RuntimeError(f"nobody minded {len(kept)} bytes")
        raise RuntimeError(f"there is a trap at {self.trap}")
