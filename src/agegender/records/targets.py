"""Names of classes and functions that have moved: configurations in records and checkpoints keep the old names."""

# Old start of a `_target_`: the start today.
_MOVED = {
    "agegender.augment.": "agegender.training.augment.",
    "agegender.optimizers.": "agegender.training.optimizers.",
    "agegender.schedules.": "agegender.training.schedules.",
}


def current_target(target: str) -> str:
    """Return the current name of a `_target_` that any version may have written."""
    for old, new in _MOVED.items():
        if target.startswith(old):
            return new + target.removeprefix(old)
    return target
