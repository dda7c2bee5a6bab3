"""Fast settings for the tests of networks."""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(scope="module", autouse=True)
def quick_to_start() -> Iterator[None]:
    """Use one thread, and no oneDNN: it compiles a kernel per layer and shape, and each network runs only once here."""
    enabled = torch.backends.mkldnn.enabled
    num_threads = torch.get_num_threads()
    torch.backends.mkldnn.enabled = False
    torch.set_num_threads(1)
    yield
    torch.backends.mkldnn.enabled = enabled
    torch.set_num_threads(num_threads)
