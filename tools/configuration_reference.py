"""Write the configuration reference from `conf/` and the typed configuration, so that it is always up to date."""

import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel

from agegender.jobs.schema import Config

# The option of each group whose keys are listed, in the order of the page.
_GROUPS = {
    "data": "utkface",
    "model": "small_cnn",
    "loss": "weighted",
    "optimizer": "adam",
    "schedule": "one_cycle",
    "augment": "none",
    "trainer": "auto",
    "logger": "wandb",
}
_CHOICES_ONLY = ("callbacks", "experiment", "without", "debug", "hparams_search")
_KEY = re.compile(r"^(?P<indent> *)(?P<key>[\w.]+):(?P<value>(?: [^#\n]*)?)(?:# ?(?P<comment>.*))?$")
_CONTINUED = re.compile(r"^ +# (?P<comment>.*)$")


@dataclass
class Key:
    """A key of a configuration file.

    Attributes:
        name: with dots.
        default: as written; "" for a key with keys below it.
        comment: after the value, and on following lines that contain only a comment.
    """

    name: str
    default: str
    comment: str


def read_keys(path: Path) -> list[Key]:
    """Read the keys of a configuration file with their comments."""
    keys: list[Key] = []
    parents: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        key = _KEY.match(line)
        continued = _CONTINUED.match(line)
        if key is not None:
            parents = [*parents[: len(key["indent"]) // 2], key["key"]]
            keys.append(Key(".".join(parents), (key["value"] or "").strip(), key["comment"] or ""))
        elif continued is not None and keys:
            keys[-1].comment = f"{keys[-1].comment} {continued['comment']}"
    return [key for key in keys if not key.name.startswith(("defaults", "hydra"))]


def head(path: Path) -> str:
    """Return the first sentence of the comment at the top of a configuration file."""
    lines = [line[2:] for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("# ")]
    text = " ".join(line for line in lines if not line.startswith("@package"))
    sentence = re.split(r"(?<!al)(?<!eq)[.:;] (?!\d)", text)[0]
    return sentence.partition(" python ")[0].rstrip(".:")


def allowed(name: str) -> str:
    """Return the values that a key accepts by the typed configuration; "" for keys that their class checks itself."""
    section: type[BaseModel] = Config
    *groups, key = name.split(".")
    for group in groups:
        inner = _model_of(section, group)
        if inner is None:
            return ""
        section = inner
    field = section.model_fields.get(key)
    return "" if field is None else _type_name(field.annotation, field.metadata)


def _model_of(section: type[BaseModel], key: str) -> type[BaseModel] | None:
    field = section.model_fields.get(key)
    kinds = () if field is None else (typing.get_args(field.annotation) or (field.annotation,))
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def _type_name(annotation: Any, metadata: typing.Sequence[Any] = ()) -> str:
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        kind, *more = typing.get_args(annotation)
        return _type_name(kind, more)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in typing.get_args(annotation))
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(_type_name(kind) for kind in typing.get_args(annotation)))
    if annotation is type(None):
        return "`null`"
    if origin is list:
        return f"list of {_type_name(typing.get_args(annotation)[0])}"
    names = {int: "integer", float: "number", bool: "`true` or `false`", str: "text"}
    return names.get(annotation, str(annotation)) + _bounds(metadata)


def _bounds(metadata: typing.Sequence[Any]) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    found = [
        f"{sign} {getattr(constraint, name):,}"
        for item in metadata
        for constraint in getattr(item, "metadata", [item])
        for name, sign in signs.items()
        if getattr(constraint, name, None) is not None
    ]
    return f" {', '.join(found)}" if found else ""


def reference(conf: Path) -> str:
    """Return the page's tables.

    Args:
        conf: the directory of configurations.
    """
    parts = ["## Keys of every run\n", *_table(read_keys(conf / "train.yaml"))]
    for group, shown in _GROUPS.items():
        parts += [f"\n## {group.capitalize()}\n", *_options(conf / group), ""]
        keys = [
            Key(f"{group}.{key.name}", key.default, key.comment) for key in read_keys(conf / group / f"{shown}.yaml")
        ]
        parts += [f"Keys of `{group}={shown}`:\n", *_table(keys)]
    for group in _CHOICES_ONLY:
        parts += [f"\n## {group.replace('_', ' ').capitalize()}\n", *_options(conf / group)]
    for kind in ("launcher", "sweeper"):
        parts += [f"\n## hydra/{kind}\n", *_options(conf / "hydra" / kind, group=f"hydra/{kind}"), ""]
        for path in sorted((conf / "hydra" / kind).glob("*.yaml")):
            keys = [Key(f"hydra.{kind}.{key.name}", key.default, key.comment) for key in read_keys(path)]
            parts += [f"Keys of `hydra/{kind}={path.stem}`:\n", *_table(keys), ""]
    parts += ["\n## eval.py\n", *_table(read_keys(conf / "eval.yaml"), typed=False)]
    return "\n".join(parts) + "\n"


def _options(folder: Path, *, group: str | None = None) -> Iterator[str]:
    group = folder.name if group is None else group
    yield "| option | what it is |"
    yield "|---|---|"
    for path in sorted(folder.glob("*.yaml")):
        yield f"| `{group}={path.stem}` | {_cell(head(path))} |"


def _table(keys: list[Key], *, typed: bool = True) -> Iterator[str]:
    yield "| key | default | what it is |"
    yield "|---|---|---|"
    for key in keys:
        if key.name.endswith(("_target_", "_partial_")) or not key.default:
            continue
        values = allowed(key.name) if typed else ""
        meaning = "; ".join(text for text in (_cell(key.comment), values) if text)
        yield f"| `{key.name}` | `{_cell(_plain(key.default))}` | {meaning} |"


def _plain(default: str) -> str:
    try:
        value = yaml.safe_load(default)
    except yaml.YAMLError:  # an interpolation
        return default
    return value if isinstance(value, str) else default


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())


def options_of(conf: Path) -> Mapping[str, list[str]]:
    """Return the options of each group, for tests."""
    return {group: sorted(path.stem for path in (conf / group).glob("*.yaml")) for group in (*_GROUPS, *_CHOICES_ONLY)}


if __name__ == "__main__":
    print(reference(Path(__file__).parents[1] / "conf"))
