"""The compact network with a pause in each training step: a test can stop it within an epoch, and no core is busy."""

import time

from torch import Tensor

from agegender.models.compact import CompactNet
from agegender.models.heads import FaceOutputs

_SECONDS = 0.03  # of a training step


class Slow(CompactNet):
    """See above."""

    def forward(self, images: Tensor) -> FaceOutputs:
        if self.training:
            time.sleep(_SECONDS)
        return super().forward(images)
