"""The directory of a job: `runs/<name>/<model>/<loss>/<seed>`, and below it the job's other choices.

For example `runs/try/small_cnn/plain/0/optimizer.lr-0.001+schedule-cosine`, which needs no quotes, neither in a shell
nor on Hydra's command line. Earlier versions wrote `optimizer.lr=0.001,schedule=cosine`, and no further directory for a
single job; their runs are still found.
"""

import glob
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from agegender.records import identity
from agegender.records.job_folder import JobFolder
from agegender.records.record import FINISHED, Record
from agegender.system.errors import InputError

IN_EVERY_PATH = frozenset({"model", "loss", "seed"})
# Keys that the runs of a name usually share: in a single job's path only if other runs differ in them.
_SHARED = ("data", "trainer", "experiment", "debug", "hparams_search")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_VALUE = 60
_LONGEST_NAME = 200  # file systems allow 255 bytes
_OLD_KEYS_PER_NAME = 6


def chosen_path(chosen: Mapping[str, Any]) -> Path:
    """Return the relative directory for some choices: one name, or several if one would be too long."""
    names = [""]
    for key in sorted(chosen):
        item = f"{_UNSAFE.sub('-', key)}-{_text(chosen[key])}"
        if names[-1] and len(names[-1]) + len(item) >= _LONGEST_NAME:
            names.append("")
        names[-1] += f"+{item}" if names[-1] else item
    return Path(*names)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return "-".join(f"{_text(key)}-{_text(inner)}" for key, inner in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "-".join(_text(inner) for inner in value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value).replace("e+", "e") if isinstance(value, float) else str(value)
    readable = _UNSAFE.sub("-", text)
    if readable == text and len(text) <= _LONGEST_VALUE:
        return text
    return f"{readable.strip('-')[-_LONGEST_VALUE:]}-{hashlib.sha1(text.encode()).hexdigest()[:6]}"


def find_directory(
    base: Path, chosen: Mapping[str, Any], config: dict[str, Any], *, resume: bool | Literal["extend"] = True
) -> Path:
    """Choose the directory of a single job.

    If one of the candidate directories holds a run of the same configuration, it is that one. The path of a new run
    has the choices of its recipe; if that directory holds a run of another configuration, also those choices of its
    data and trainer that differ from that run.

    Args:
        base: `runs/<name>/<model>/<loss>/<seed>`.
        chosen: the other choices of the command line, by key or group.
        config: of the job, resolved.
        resume: as in the configuration.
    """
    candidates = _candidates(base, chosen, config)
    for folder in [*candidates, base]:
        known = _previous(folder)
        if known is not None and not identity.differences(known.config, config):
            return folder
    shorter = find_shorter(base, chosen, config) if resume == "extend" else None
    if shorter is not None:
        return shorter
    if not resume:
        return candidates[0]
    return next((folder for folder in candidates if not _is_taken(folder)), candidates[-1])


def _is_taken(folder: Path) -> bool:
    known = _previous(folder)
    return known is not None and (known.status in (*FINISHED, "running") or JobFolder(folder).last.exists())


def find_shorter(base: Path, chosen: Mapping[str, Any], config: dict[str, Any]) -> Path | None:
    """Find a run that differs from this job only in that it has fewer epochs; arguments as for `find_directory`."""
    for folder in [*_candidates(base, chosen, config), base]:
        known = _previous(folder)
        if known is not None and identity.is_extension(known.config, config):
            return folder
    return None


def _candidates(base: Path, chosen: Mapping[str, Any], config: dict[str, Any]) -> list[Path]:
    """Return the directories to try: with the recipe's choices, then with those that differ from the runs found there.

    Last comes the directory with all choices, which earlier versions used if the recipe's was taken. Still earlier ones
    used `base`.
    """
    shared = tuple(f"{key}." for key in _SHARED)
    named = {key: value for key, value in chosen.items() if not f"{key}.".startswith(shared)}
    found = []
    while True:
        folder = base / chosen_path(named)
        found.append(folder)
        known = _previous(folder)
        differing = identity.differing_keys(known.config, config) if known is not None else []
        more = {
            key: value for key, value in chosen.items() if any(f"{name}.".startswith(f"{key}.") for name in differing)
        }
        if more.keys() <= named.keys():
            return list(dict.fromkeys([*found, base / chosen_path(chosen)]))
        named |= more


def _previous(folder: Path) -> Record | None:
    try:
        return JobFolder(folder).read()
    except (InputError, OSError):  # the job itself reports a broken record, and a path that is none
        return None


def has_old_names(folder: Path, keys: Sequence[str]) -> bool:
    """Whether a sweep over these keys was started by a version that named directories `key=value,key=value`."""
    first = keys[:_OLD_KEYS_PER_NAME]
    found = folder.glob(f"*/*/*/{glob.escape(first[0])}=*")
    return any([part.partition("=")[0] for part in path.name.split(",")] == list(first) for path in found)


def old_names(keys: Sequence[str], groups: Mapping[Any, Any]) -> str:
    """Return the directory of swept keys as earlier versions named it, with interpolations for the values."""
    parts = [f"{key}=${{{'hydra.runtime.choices.' if key in groups else ''}{key}}}" for key in keys]
    step = _OLD_KEYS_PER_NAME
    return "/".join(",".join(parts[start : start + step]) for start in range(0, len(parts), step))
