"""The record of a job that is tracked by W&B."""

from typing import Any

from agegender.records.record import Record


def tracked_record(*, status: str = "running", logger: dict[str, Any] | None = None, **fields: Any) -> Record:
    """Make the record of VGG11 with the loss dex in the sweep "try".

    Args:
        status: of the run.
        logger: the `logger` keys of its configuration; None: no such keys.
        fields: further fields of the record.
    """
    config: dict[str, Any] = {"seed": 3, "tags": ["first"]}
    if logger is not None:
        config["logger"] = logger
    return Record(status=status, name="try", choices={"model": "vgg11", "loss": "dex"}, config=config, seed=3, **fields)
