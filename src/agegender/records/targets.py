"""Names of classes and functions that have moved: configurations in records and checkpoints keep the old ones."""

# What `_target_` named before: what it names now.
_MOVED = {
    "agegender.augment.": "agegender.training.augment.",
    "agegender.optimizers.": "agegender.training.optimizers.",
    "agegender.schedules.": "agegender.training.schedules.",
}


def current_target(target: str) -> str:
    """Return the name under which a `_target_` of any version is found today."""
    for old, new in _MOVED.items():
        if target.startswith(old):
            return new + target.removeprefix(old)
    return target
