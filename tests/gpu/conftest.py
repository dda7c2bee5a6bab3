"""What a machine with an NVIDIA GPU must show: `make test-gpu`. Without one these tests are skipped."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

# Read at the first product of matrices; deterministic ones need it.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        # A warning is shown, not an error: time on a GPU is scarce.
        if Path(__file__).parent in item.path.parents and item.get_closest_marker("gpu") is not None:
            item.add_marker(pytest.mark.filterwarnings("default"))


@pytest.fixture
def device() -> Iterator[torch.device]:
    """Return the GPU; afterwards nothing of the test is left on it, and PyTorch's switches are as before."""
    yield torch.device("cuda", 0)
    torch.cuda.set_sync_debug_mode("default")
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark = False
    torch.cuda.empty_cache()
