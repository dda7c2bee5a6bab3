"""Keys that nothing reads: a typo behind a plus, which Hydra adds without a question, or in a file of the user's."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from agegender.system.errors import InputError

_LIKENESS = 0.75  # of two words, from which on one may be a misspelling of the other
_CLOSE_SECOND = 0.05  # of likeness: what is less alike than the best by more is not suggested


def refuse_unknown(config: Mapping[str, Any], known: Mapping[str, Any], *, text: str = "") -> None:
    """Refuse a configuration with keys that nothing reads.

    Args:
        config: resolved, in plain containers.
        known: every key that is read, as nested mappings; below one whose value is no mapping, all keys are allowed.
        text: the configuration before it was resolved: a key that another value refers to, as `${key}`, is read.

    Raises:
        InputError: names the keys, and those that were probably meant.
    """
    unknown = {
        key: value for key, value in _unknown(config, known) if f"${{{key}}}" not in text and f"${{{key}." not in text
    }
    if unknown:
        prefixes = tuple(f"{key}." for key in unknown)
        every = [
            key for key in dict.fromkeys([*_flatten(known), *_flatten(config)]) if not f"{key}.".startswith(prefixes)
        ]
        reasons = [f"{key}={value}: there is no such key{_suggestion(key, every)}" for key, value in _leaves(unknown)]
        raise InputError(f"{'; '.join(reasons)}; --cfg job shows all keys")


def _unknown(config: Mapping[str, Any], known: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if key not in known:
            yield f"{prefix}{key}", value
        elif isinstance(known[key], Mapping) and isinstance(value, Mapping):
            yield from _unknown(value, known[key], f"{prefix}{key}.")


def _flatten(config: Mapping[str, Any]) -> list[str]:
    return [key for key, _ in _leaves(config)]


def _leaves(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _suggestion(key: str, every: list[str]) -> str:
    """Compare whole keys; where none is alike, last parts: `max_epochs` may stand for `trainer.max_epochs`."""
    last = {one: one.rpartition(".")[2] for one in every}
    close = _close(key, {one: one for one in every}) or _close(key.rpartition(".")[2], last)
    return f", did you mean {' or '.join(close[:3])}?" if close else ""


def _close(word: str, names: Mapping[str, str]) -> list[str]:
    likeness = {key: _likeness(word, name) for key, name in names.items()}
    least = max(_LIKENESS, max(likeness.values()) - _CLOSE_SECOND)
    return sorted((key for key in names if likeness[key] >= least), key=lambda key: -likeness[key])


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one.replace(".", "_"), other.replace(".", "_")).ratio()
