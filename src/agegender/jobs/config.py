"""From plain containers to the typed configuration, and the checks that need more than one key."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from agegender.jobs.combinations import check_decided, check_validated
from agegender.jobs.schema import Config, Evaluation, LossOverrides, Report, Search, Wandb
from agegender.jobs.unknown import refuse_unknown
from agegender.records.targets import current_loggers
from agegender.system.errors import InputError


def known_keys(loggers: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the keys that are accepted, see `unknown.refuse_unknown`; options of most groups may add their own.

    Args:
        loggers: those of the configuration, which may be of the user's own.
    """
    closed = {"report": Report, "search": Search}
    fields: dict[str, Any] = {key: None for key in Config.model_fields}
    fields |= {key: dict.fromkeys(section.model_fields) for key, section in closed.items()}
    return fields | {"logger": _known_loggers(loggers)}


def _known_loggers(loggers: Mapping[str, Any] | None) -> dict[str, Any]:
    made = (key for key, entry in (loggers or {}).items() if isinstance(entry, Mapping) and "_target_" in entry)
    return {**dict.fromkeys(made), "wandb": dict.fromkeys(Wandb.model_fields)}  # classes check their own keys


def parse(config: dict[str, Any]) -> Config:
    """Check types and ranges.

    Args:
        config: resolved, in plain containers.

    Raises:
        InputError: names each key that is wrong, with its value and what was expected.
    """
    config = {**config, "logger": current_loggers(config.get("logger") or {})}
    try:
        parsed = Config.from_plain(config)
    except ValidationError as error:
        raise InputError(_message(error, config)) from error
    check_decided(parsed.trainer)
    check_validated(parsed)
    return parsed


def parse_evaluation(config: dict[str, Any]) -> Evaluation:
    """Check the keys of `eval.py`; values that override the checkpoint's are checked by `parse`.

    Raises:
        InputError: there is no such key, or a section is missing.
    """
    refuse_unknown(config, _known_evaluation_keys(config.get("logger")))
    try:
        return Evaluation.model_validate(config)
    except ValidationError as error:
        raise InputError(_message(error, config)) from error


def _known_evaluation_keys(loggers: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the keys that `eval.py` reads; those below data and trainer reach classes, which refuse unknown ones."""
    fields = {key: None for key in Evaluation.model_fields}
    return fields | {"loss": dict.fromkeys(LossOverrides.model_fields), "logger": _known_loggers(loggers)}


def _message(error: ValidationError, config: dict[str, Any]) -> str:
    reasons: dict[str, list[str]] = {}
    for mistake in error.errors():
        if mistake["type"] == "missing":
            reasons[f"{'.'.join(map(str, mistake['loc']))} is missing"] = ["give it a value"]
            continue
        key = ".".join(str(part) for part in mistake["loc"] if _is_key(config, mistake["loc"], part))
        reasons.setdefault(f"{key}={mistake['input']}", []).append(mistake["msg"].removeprefix("Value error, "))
    return "; ".join(f"{key}: {' or '.join(dict.fromkeys(why))}" for key, why in reasons.items())


def replaced(config: Config, values: Mapping[str, Any]) -> Config:
    """Return a configuration with other values of some keys, checked.

    Args:
        config: stays as it is.
        values: by dotted key; a mapping replaces all that was below its key.

    Raises:
        InputError: as for `parse`.
    """
    plain = config.plain
    for key, value in values.items():
        plain = _with_value(plain, key.split("."), value)
    return parse(plain)


def _with_value(config: Mapping[str, Any], path: list[str], value: Any) -> dict[str, Any]:
    first, *rest = path
    return {**config, first: _with_value(config.get(first) or {}, rest, value) if rest else value}


def _is_key(config: Any, location: tuple[int | str, ...], part: int | str) -> bool:
    """Distinguish a key of the configuration from the name of a union's member, which pydantic adds to a location."""
    for key in location:
        if not isinstance(config, dict) or key not in config:
            return False
        if key == part:
            return True
        config = config[key]
    return False
