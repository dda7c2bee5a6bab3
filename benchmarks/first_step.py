"""Run train.py until its first training step has ended: python benchmarks/first_step.py train.py KEY=VALUE."""

import os
import runpy
import sys
from typing import Any

from agegender.training.module import AgeGenderModule


def _stop(self: AgeGenderModule, outputs: Any, batch: Any, batch_idx: int) -> None:
    os._exit(0)  # at once, so that the shutdown is not measured


if __name__ == "__main__":
    AgeGenderModule.on_train_batch_end = _stop
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
