"""The choices in which the runs of a sweep differ, and the order of the runs."""

from collections.abc import Sequence
from typing import Any

from agegender.records import identity
from agegender.records.record import Record
from agegender.report.paper import MODEL_ORDER

_BLOCKS = frozenset({"seed", "data.split_seed", "data.split_file", "data.fold"})  # vary within a configuration
# Groups that did not exist in earlier versions, and the option that their runs had in effect.
_ADDED_GROUPS = {"schedule": "constant", "augment": "none", "callbacks": "none"}
_FIXED = _BLOCKS | {"model", "loss", "experiment", "debug"}


def varying_choices(records: Sequence[Record]) -> list[str]:
    """Return the keys in which records differ, beside model, loss, seed and split.

    These are choices that make a different experiment, unless they name the value that the other runs have by default.
    Where the file of an experiment makes a difference that nobody chose by name, they include `experiment`, or that key
    itself. Broken records, which have no configuration, are left out.
    """
    records = [record for record in records if record.config]
    chosen = dict.fromkeys(key for record in records for key in record.choices)
    keys = [key for key in chosen if key not in _FIXED and identity.is_identity(key)]
    keys = [key for key in keys if len({choice_value(record, key) for record in records}) > 1]
    hidden = _hidden(records, keys)
    if hidden and not _hidden(records, [*keys, "experiment"]):
        hidden = ["experiment"]
    return [*keys, *hidden]


def choice_value(record: Record, key: str) -> str:
    """Return the value of a key in a run's configuration, or the option chosen for a group."""
    value = identity.identifying_value(record.config, key)
    chosen = record.choices.get(key, _ADDED_GROUPS.get(key, ""))
    if value is not None:
        return str(value)
    return "" if chosen == "null" else str(chosen)


def _hidden(records: Sequence[Record], keys: Sequence[str]) -> list[str]:
    """Return the keys in which runs with equal values of `keys` still differ; a key must be in all their records."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for record in records:
        model, loss = (str(record.choices.get(group)) for group in ("model", "loss"))
        key = (model, loss, *(choice_value(record, key) for key in keys))
        groups.setdefault(key, []).append(identity.identifying_values(record.config))
    found = {
        key: None
        for configs in groups.values()
        for key in configs[0]
        if key not in _BLOCKS
        and all(key in config for config in configs)
        and len({str(one[key]) for one in configs}) > 1
    }
    return list(found)


def report_order(record: Record) -> tuple[object, ...]:
    """Return a sort key: the paper's order of models, then other models by name, loss, other choices, and seed."""
    model = str(record.choices.get("model"))
    known = MODEL_ORDER.index(model) if model in MODEL_ORDER else len(MODEL_ORDER)
    others = sorted((key, str(value)) for key, value in record.choices.items() if key != "seed")
    return known, model, str(record.choices.get("loss")), others, record.seed
