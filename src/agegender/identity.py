"""What makes two configurations different experiments."""

from typing import Any

# What may differ between two runs of the same job: where it lies, how it is shown, how its data is loaded.
_NOT_IDENTITY = (
    "name", "runs_dir", "resume", "on_error", "tags", "logger", "report", "search", "checkpoint_minutes",
    "data.num_workers", "data.cache", "data.cache_dir", "data.eval_batch_size", "data.resident",
    "data.max_skipped", "data.source.root", "data.source.cache_dir", "trainer.enable_progress_bar",
    "trainer.log_every_n_steps", "trainer.profiler", "trainer.strategy",
)  # fmt: skip


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """List what makes two configurations different experiments, as "key=old, now new"."""
    before, after = of(old), of(new)
    keys = sorted(before.keys() | after.keys())
    return [f"{key}={before.get(key)}, now {after.get(key)}" for key in keys if before.get(key) != after.get(key)]


def is_identity(key: str) -> bool:
    """Whether another value of this key makes another experiment."""
    return not any(f"{key}.".startswith(f"{out}.") for out in _NOT_IDENTITY)


def of(config: dict[str, Any]) -> dict[str, Any]:
    """Give what makes a configuration the experiment it is: values by their dotted keys."""
    flat = _flatten(config)
    kept = {key: value for key, value in flat.items() if is_identity(key)}
    for key in ("data.root", "data.split_file"):  # the same file, named from another directory
        if isinstance(kept.get(key), str):
            kept[key] = kept[key].rstrip("/").rpartition("/")[2]
    return kept


def _flatten(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for key, value in config.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
