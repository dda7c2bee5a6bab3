"""The identity of an experiment: which keys of a configuration make it another experiment."""

import math
from pathlib import Path
from typing import Any

from agegender.records.record import value_at
from agegender.records.targets import current_target
from agegender.system.errors import InputError

# Keys that may differ between two runs of the same job: where it is stored, how it is shown, how its data is loaded.
_NOT_IDENTITY = (
    "hydra",
    "name",
    "runs_dir",
    "resume",
    "keep_optimizer",
    "on_error",
    "tags",
    "logger",
    "report",
    "search",
    "checkpoint_minutes",
    "data.num_workers",
    "data.cache",
    "data.cache_dir",
    "data.eval_batch_size",
    "data.resident",
    "data.max_skipped",
    "data.source.root",
    "data.source.cache_dir",
    "data.source.set_name",  # these three are data.set, data.labels and data.margin again
    "data.source.labels",
    "data.source.margin",
    "trainer.enable_progress_bar",
    "trainer.log_every_n_steps",
    "trainer.profiler",
    "trainer.strategy",
    "trainer.enable_model_summary",
    "trainer.num_sanity_val_steps",
    "trainer.enable_checkpointing",
)
_PREFIXES = tuple(f"{key}." for key in _NOT_IDENTITY)
_FILES = ("data.root", "data.split_file", "data.labels")
_SOURCES = "agegender.data.source."


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """List what makes two configurations different experiments, as "key=old, now new"."""
    before = identifying_values(old)
    after = identifying_values(new)
    return [f"{key}={before.get(key)}, now {after.get(key)}" for key in differing_keys(old, new)]


def differing_keys(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """List the dotted keys that make two configurations different experiments."""
    before = identifying_values(old)
    after = identifying_values(new)
    return [key for key in sorted(before.keys() | after.keys()) if before.get(key) != after.get(key)]


def check_same(folder: Path, old: dict[str, Any], new: dict[str, Any]) -> None:
    """Check that the run in a directory may be resumed with a new configuration.

    Raises:
        InputError: the two configurations are different experiments.
    """
    different = differences(old, new)
    if different:
        extend = ", or resume=extend to train it further" if is_extension(old, new) else ""
        raise InputError(
            f"{folder} holds a run of another configuration ({'; '.join(different[:3])}"
            f"{' and more' if len(different) > 3 else ''}); choose another name=, or resume=false to replace it{extend}"
        )


def is_extension(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether the new configuration differs from the old one only in that it has more epochs."""
    before, after = (value_at(config, "trainer.max_epochs") for config in (old, new))
    if before is None or after is None or after <= before:
        return False
    return not differences({**old, "trainer": {**old["trainer"], "max_epochs": after}}, new)


def is_identity(key: str) -> bool:
    """Whether changing this key makes another experiment."""
    return not f"{key}.".startswith(_PREFIXES)


def identifying_values(config: dict[str, Any]) -> dict[str, Any]:
    """Return the values that identify an experiment, by their dotted keys."""
    flat = _flatten(config)
    if flat.get("data.root") is None and (flat.get("data.limit") or 0) >= flat.get(
        "data.source.num_synthetic", math.inf
    ):
        flat["data.limit"] = None  # a limit above the number of synthetic faces changes nothing
    return {key: _normalized(key, value) for key, value in flat.items() if is_identity(key)}


def identifying_value(config: dict[str, Any], key: str) -> Any:
    """Return the value of one dotted key as `identifying_values` does; None if there is no such value."""
    found = value_at(config, key)
    return None if isinstance(found, dict) else _normalized(key, found)


def _normalized(key: str, value: Any) -> Any:
    """Return a value without what does not matter: a file's directory, the old name of a class that has moved.

    All sources of the data count as one, since `data.root` says whether the faces are synthetic.
    """
    if key == "data.source._target_" and str(value).startswith(_SOURCES):
        return _SOURCES
    if key.endswith("_target_") and isinstance(value, str):
        return current_target(value)
    if key not in _FILES:
        return value
    if isinstance(value, list):
        return [_normalized(key, item) for item in value]
    return value.rstrip("/").rpartition("/")[2] if isinstance(value, str) else value


def _flatten(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for key, value in config.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
