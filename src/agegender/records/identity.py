"""What makes two configurations different experiments."""

import math
from pathlib import Path
from typing import Any

from agegender.records.targets import current_target
from agegender.system.errors import InputError

# What may differ between two runs of the same job: where it lies, how it is shown, how its data is loaded.
_NOT_IDENTITY = (
    "hydra", "name", "runs_dir", "resume", "keep_optimizer", "on_error", "tags", "logger", "report", "search",
    "checkpoint_minutes", "data.num_workers", "data.cache", "data.cache_dir", "data.eval_batch_size", "data.resident",
    "data.max_skipped", "data.source.root", "data.source.cache_dir", "trainer.enable_progress_bar",
    "trainer.log_every_n_steps", "trainer.profiler", "trainer.strategy", "trainer.enable_model_summary",
    "trainer.num_sanity_val_steps", "trainer.enable_checkpointing",
)  # fmt: skip
_PREFIXES = tuple(f"{key}." for key in _NOT_IDENTITY)
_FILES = ("data.root", "data.split_file")
_SOURCES = "agegender.data.source."


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """List what makes two configurations different experiments, as "key=old, now new"."""
    before, after = of(old), of(new)
    return [f"{key}={before.get(key)}, now {after.get(key)}" for key in differing_keys(old, new)]


def differing_keys(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """List the dotted keys in which two configurations are different experiments."""
    before, after = of(old), of(new)
    return [key for key in sorted(before.keys() | after.keys()) if before.get(key) != after.get(key)]


def check_same(folder: Path, old: dict[str, Any], new: dict[str, Any]) -> None:
    """Refuse to resume the run of a directory as if it were another.

    Raises:
        InputError: its configuration and the new one are different experiments.
    """
    different = differences(old, new)
    if different:
        extend = ", or resume=extend to train it further" if is_extension(old, new) else ""
        raise InputError(
            f"{folder} holds a run of another configuration ({'; '.join(different[:3])}"
            f"{' and more' if len(different) > 3 else ''}); choose another name=, or resume=false to replace it{extend}"
        )


def is_extension(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether the new configuration is the old one with more epochs."""
    before, after = (config["trainer"].get("max_epochs") for config in (old, new))
    if before is None or after is None or after <= before:
        return False
    return not differences({**old, "trainer": {**old["trainer"], "max_epochs": after}}, new)


def is_identity(key: str) -> bool:
    """Whether another value of this key makes another experiment."""
    return not f"{key}.".startswith(_PREFIXES)


def of(config: dict[str, Any]) -> dict[str, Any]:
    """Give what makes a configuration the experiment it is: values by their dotted keys."""
    flat = _flatten(config)
    if flat.get("data.root") is None and (flat.get("data.limit") or 0) >= flat.get(
        "data.source.num_synthetic", math.inf
    ):
        flat["data.limit"] = None  # no fewer faces than are drawn
    kept = {key: value for key, value in flat.items() if is_identity(key)}
    return {key: _value(key, value) for key, value in kept.items()}


def value_of(config: dict[str, Any], key: str) -> Any:
    """Look a dotted key up as `of` gives it; None where there is no such value."""
    found: Any = config
    for name in key.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return None if isinstance(found, dict) else _value(key, found)


def _value(key: str, value: Any) -> Any:
    """The same file may be named from another directory, and `data.root` says whether faces are drawn."""
    if key == "data.source._target_" and str(value).startswith(_SOURCES):
        return _SOURCES
    if key.endswith("_target_") and isinstance(value, str):
        return current_target(value)
    if key not in _FILES:
        return value
    if isinstance(value, list):
        return [_value(key, one) for one in value]
    return value.rstrip("/").rpartition("/")[2] if isinstance(value, str) else value


def _flatten(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for key, value in config.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
