"""Whether the GPU of this process still works, and how many jobs share it."""

import os
import sys
from pathlib import Path

from agegender.system.errors import first_line

# In a job's environment: how many jobs the launcher `local` runs on its GPU at a time.
JOBS_PER_GPU = "AGEGENDER_JOBS_PER_GPU"


def jobs_per_gpu() -> int:
    """Return how many jobs share this process's GPU, as the launcher says; 1 without one."""
    number = os.environ.get(JOBS_PER_GPU, "")
    return int(number) if number.isdigit() else 1


def has_mps() -> bool:
    """Whether NVIDIA's Multi-Process Service runs here: kernels of several processes then run on a GPU at once."""
    return (Path(os.environ.get("CUDA_MPS_PIPE_DIRECTORY", "/tmp/nvidia-mps")) / "control").exists()


def broken_gpu() -> str | None:
    """Return why no further job can use the GPU; None if the GPU still works, or was not used.

    An error inside a kernel, such as an index out of range, makes CUDA unusable for the rest of the process: every
    later job of a sweep would fail with the same error.
    """
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    try:
        torch.cuda.synchronize()
    except RuntimeError as error:
        return f"this process can no longer use the GPU ({first_line(error, limit=120)}); run the sweep again"
    return None
