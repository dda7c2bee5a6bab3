"""Overrides as people type them: a value that Hydra's grammar refuses is quoted before Hydra parses it.

A path such as `runs/mine/lr=0.1/best.ckpt`, `~/faces`, `photos (2)` or `/données/visages.tar` then needs no second pair
of quotes inside the shell's. What the grammar accepts is left as it is.
"""

import os
import re
import sys
from collections.abc import Sequence

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser, create_functions
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException

from agegender.system.errors import refuse

_FUNCTION_CALL = re.compile(r"(?P<name>\w+)\((?P<inner>.*)\)", re.DOTALL)
_SWEEPS_OVER_TEXT = ("choice", "shuffle", "sort")
_BRACKETS = {"[": "]", "{": "}", "(": ")"}
_FUNCTIONS = frozenset(create_functions().functions)
# Keys whose value is text also where it looks like a number or a truth: name=20260101, name=1e3, data.root=2024.
TEXT_KEYS = frozenset(
    {
        "name",
        "tags",
        "runs_dir",
        "ckpt_path",
        "output_dir",
        "model.weights",
        "data.root",
        "data.cache_dir",
        "data.split_file",
        "data.set",
        "data.labels",
        "logger.wandb.project",
        "logger.wandb.entity",
        "logger.wandb.group",
        "logger.wandb.notes",
    }
)

# Keys that have other names now, for as long as a version: the old one, and today's.
_RENAMED = {f"logger.{key}": f"logger.wandb.{key}" for key in ("project", "entity", "mode")}

# Keys of lightning-hydra-template's W&B logger that do not exist here, and what does the same.
_DONE_OTHERWISE = {
    "logger.wandb.tags": "tags= sets them",
    "logger.wandb.offline": "logger.wandb.mode=offline writes offline runs",
    "logger.wandb.name": "a run is named after its job's directory; WANDB_NAME names a single one",
    "logger.wandb.id": "a run's id is kept in record.json; WANDB_RUN_ID sets that of a single one",
    "logger.wandb.job_type": "WANDB_JOB_TYPE sets it",
    "logger.wandb.save_dir": "WANDB_DIR sets it",
}


def normalize_arguments(arguments: Sequence[str], *, file_key: str | None = None) -> list[str]:
    """Return the arguments of a Hydra application in the form that Hydra reads.

    Overrides are quoted where they need it, and follow the flags: Hydra refuses those on both sides of a flag.

    Args:
        arguments: of the command line, without the program's name.
        file_key: the key that a bare file name stands for, if there is one.
    """
    given, left = get_args_parser().parse_known_intermixed_args(list(arguments))
    overrides = set(given.overrides)  # a flag's value, such as the directory of --config-dir, is no override
    flags = [item for item in arguments if item not in overrides or item in left]
    return flags + [quote_override(_renamed(_with_key(item, file_key))) for item in given.overrides]


def _with_key(argument: str, file_key: str | None) -> str:
    is_file = file_key is not None and os.path.isfile(os.path.expanduser(argument))
    return f"{file_key}={argument}" if is_file else argument


def _renamed(override: str) -> str:
    key, equals, value = override.partition("=")
    name = key.lstrip("+")
    if override == "logger=null":  # Hydra would show a traceback
        return "logger=none"
    if equals and name in _DONE_OTHERWISE:
        refuse(f"{name}={value}: there is no such key; {_DONE_OTHERWISE[name]}")
    if name not in _RENAMED or not equals:
        return override
    print(f"warning: {name} is {_RENAMED[name]} now; the old name works until the next version", file=sys.stderr)
    return f"{_RENAMED[name]}={value}"


def quote_override(override: str) -> str:
    """Quote the value of an override where Hydra's grammar refuses it; `~` at its beginning becomes the home directory.

    Each value of a sweep and each element of a list is quoted by itself: commas between them keep their meaning, unless
    the whole value names a file. The value of a key that takes text is quoted where it would be read as a number.
    """
    key, equals, value = override.partition("=")
    if not equals:
        return override
    if _is_accepted(override):
        return f"{key}={_as_text(value)}" if key.lstrip("+") in TEXT_KEYS else override
    quoted = f"{key}={_quote(value)}"
    return quoted if _is_accepted(quoted) else override  # Hydra reports what is wrong with the key


def key_and_text(override: str) -> tuple[str, str]:
    """Return an override's key and its value as it was typed, but for quotes."""
    key, _, text = override.lstrip("+~").partition("=")
    value = OverridesParser.create().parse_override(override).value()
    return key, value if isinstance(value, str) else text


def _as_text(value: str) -> str:
    """Quote a value, or those elements of a list, that Hydra would read as a number or a truth."""
    parsed = OverridesParser.create().parse_override(f"key={value}").value()
    if isinstance(parsed, list) and parsed:
        return f"[{','.join(_as_text(part) for part in _split(value.strip()[1:-1], ','))}]"
    return _quoted(value.strip()) if isinstance(parsed, int | float) else value


def _is_accepted(override: str) -> bool:
    try:
        OverridesParser.create().parse_override(override)
    except HydraException:
        return False
    return True


def _quote(value: str) -> str:
    value = value.strip()
    if _is_accepted(f"key={value}"):
        return value
    path = os.path.expanduser(value)
    if os.path.exists(path):
        return _quoted(path)
    parts = _split(value, ",")
    if len(parts) > 1:
        return ",".join(_quote(part) for part in parts)
    if value[:1] in ("[", "{") and value.endswith(_BRACKETS[value[0]]):
        inner = [_quote_element(part, is_pair=value[0] == "{") for part in _split(value[1:-1], ",")]
        return value[0] + ",".join(inner) + value[-1]
    call = _FUNCTION_CALL.fullmatch(value)
    if call is not None and call["name"] in _SWEEPS_OVER_TEXT:
        return f"{call['name']}({','.join(_quote(part) for part in _split(call['inner'], ','))})"
    is_wrong_call = call is not None and call["name"] in _FUNCTIONS
    return value if is_wrong_call else _quoted(path)


def _quote_element(text: str, *, is_pair: bool) -> str:
    key, colon, value = text.partition(":") if is_pair else ("", "", text)
    return f"{key}{colon}{_quote(value)}"


def _quoted(text: str) -> str:
    return QuotedString(text, Quote.single).with_quotes()


def _split(text: str, separator: str) -> list[str]:
    """Split outside of brackets and quotes; where those do not match, nothing is split."""
    parts = [""]
    closing: list[str] = []
    for character in text:
        if closing and character == closing[-1]:
            closing.pop()
        elif not (closing and closing[-1] in "\"'") and character in ("'", '"', *_BRACKETS):
            closing.append(_BRACKETS.get(character, character))
        if character == separator and not closing:
            parts.append("")
        else:
            parts[-1] += character
    return [text] if closing else parts
