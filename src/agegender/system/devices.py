"""Whether the GPU of this process still works."""

import sys

from agegender.system.errors import first_line


def broken_gpu() -> str | None:
    """Return why no further job can use the GPU; None where one can, or none was used.

    An error inside a kernel, such as an index out of range, leaves a process without a usable CUDA: each later job of a
    sweep would fail with it, whatever it does.
    """
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    try:
        torch.cuda.synchronize()
    except RuntimeError as error:
        return f"the GPU cannot be used in this process any more ({first_line(error, limit=120)}); run the sweep again"
    return None
