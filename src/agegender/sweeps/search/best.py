"""The best configuration of a search, as an experiment that can be repeated."""

import shlex
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from agegender.jobs.combinations import RECIPES
from agegender.records import identity
from agegender.system.files import write_atomically


def write_best(folder: Path, config: DictConfig, loader: ConfigLoader, own: DictConfig, score: str) -> str:
    """Write the configuration of a trial: `best.yaml`, and the same where Hydra finds it as an experiment.

    The options of the groups, and each value that differs from theirs; not what makes no other experiment, such as
    the logger. What does not differ follows the project's defaults.

    Args:
        folder: runs/NAME.
        config: of the search.
        loader: Hydra's.
        own: the trial's configuration, composed.
        score: of the trial, in a line.

    Returns:
        The command that trains it.
    """
    groups = {
        str(group): option
        for group, option in sorted(own.hydra.runtime.choices.items())
        if option is not None and _is_plain(str(group))
    }
    name = f"best_of_{config.name.replace('/', '_')}"
    command = (
        f"python train.py --config-dir {shlex.quote(str(folder / 'conf'))} experiment={name}{_search_path(config)}"
    )
    content = {"defaults": [{f"override /{group}": option} for group, option in groups.items()], "name": name}
    content |= _difference(_plain(own), _plain(_compose_groups(config, loader, groups)))
    text = f"# @package _global_\n# {score}\n# {command}\n{OmegaConf.to_yaml(OmegaConf.create(content))}"
    for path in (folder / "best.yaml", folder / "conf" / "experiment" / f"{name}.yaml"):
        write_atomically(path, text)
    return command


def _search_path(config: DictConfig) -> str:
    """Return the override with which Hydra finds the user's own options, such as a model of theirs, once more."""
    sources = [
        f"{source.schema}://{source.path}"
        for source in config.hydra.runtime.config_sources
        if source.provider in ("command-line", "hydra.searchpath in command-line")
    ]
    return " " + shlex.quote(f"hydra.searchpath=[{','.join(sources)}]") if sources else ""


def _is_plain(group: str) -> bool:
    return not group.startswith("hydra/") and "@" not in group and group not in RECIPES and identity.is_identity(group)


def _compose_groups(config: DictConfig, loader: ConfigLoader, groups: dict[str, str]) -> DictConfig:
    paths = [item for item in config.hydra.overrides.hydra if item.lstrip("+~").startswith("hydra.searchpath")]
    chosen = [f"{group}={option}" for group, option in groups.items()]
    return loader.load_configuration(config.hydra.job.config_name, [*paths, *chosen], RunMode.RUN)


def _plain(config: DictConfig) -> dict[str, Any]:
    """Return plain containers with their interpolations, so that keys that refer to others still do so."""
    kept = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    plain = OmegaConf.to_container(kept, resolve=False)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def _difference(new: dict[str, Any], old: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in new.items():
        if not identity.is_identity(f"{prefix}{key}"):
            continue
        before = old.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            inner = _difference(value, before, f"{prefix}{key}.")
            if inner:
                found[key] = inner
        elif key not in old or value != before:
            found[key] = value
    return found
