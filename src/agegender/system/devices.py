"""Whether the GPU of this process still works."""

import sys

from agegender.system.errors import first_line


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
