"""Compose configurations as train.py and eval.py do."""

from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from paths import CONF


def compose_config(*overrides: str, name: str = "train", with_hydra: bool = False) -> DictConfig:
    """Compose a configuration, with Hydra's own keys or without them."""
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        return compose(name, list(overrides), return_hydra_config=with_hydra)


def composed(*overrides: str, name: str = "train") -> dict[str, Any]:
    """Compose a configuration to plain containers, resolved."""
    return OmegaConf.to_container(compose_config(*overrides, name=name), resolve=True)  # pyright: ignore
