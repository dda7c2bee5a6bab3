"""What earlier versions wrote, in today's names: configurations in records and checkpoints keep the old ones."""

import pydoc
from collections.abc import Mapping
from typing import Any

from agegender.system.errors import InputError

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


def locate(target: str, *, prefix: str = "") -> Any:
    """Import what a `_target_` names, by its current name.

    Args:
        target: of the configuration.
        prefix: of the key, for the error.

    Raises:
        InputError: it does not exist, or cannot be imported.
    """
    try:
        found = pydoc.locate(current_target(target))
    except pydoc.ErrorDuringImport as error:
        raise InputError(f"{prefix}_target_={target} cannot be imported ({error})") from error
    if found is None:
        raise InputError(f"{prefix}_target_={target} does not exist; check its spelling")
    return found


def current_loggers(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `logger` section of a configuration by the loggers' names; earlier versions had one `kind`."""
    if "kind" not in settings:
        return dict(settings)
    if settings["kind"] == "wandb":
        return {"wandb": {key: settings[key] for key in ("project", "entity", "mode")}}
    if settings["kind"] == "csv":
        return {"csv": {"_target_": "lightning.pytorch.loggers.CSVLogger", "name": "csv"}}
    return {}
