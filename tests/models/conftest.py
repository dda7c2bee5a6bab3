"""What the tests of networks share."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

CONF = Path(__file__).parents[2] / "conf"


@pytest.fixture(scope="session")
def composed() -> Callable[..., dict[str, Any]]:
    """Compose conf/train.yaml with overrides, as train.py does, to plain containers."""

    def compose_training(*overrides: str) -> dict[str, Any]:
        with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
            return OmegaConf.to_container(compose("train", list(overrides)), resolve=True)  # pyright: ignore

    return compose_training


@pytest.fixture(scope="module", autouse=True)
def quick_to_start() -> Iterator[None]:
    """Networks run once here: threads wait for each other, and oneDNN compiles a kernel per layer and shape."""
    enabled, threads = torch.backends.mkldnn.enabled, torch.get_num_threads()
    torch.backends.mkldnn.enabled = False
    torch.set_num_threads(1)
    yield
    torch.backends.mkldnn.enabled = enabled
    torch.set_num_threads(threads)
