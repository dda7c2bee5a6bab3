"""Lightning's loggers, made from their `_target_`s: CSV, TensorBoard, MLflow, or one of the user's own."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger, MLFlowLogger

from agegender.records.record import Record
from agegender.records.targets import locate
from agegender.system.errors import InputError, first_line

_EXTRAS = ("tensorboard", "mlflow")  # of this package


def make_logger(key: str, entry: Mapping[str, Any], record: Record, folder: Path, name: str) -> Logger:
    """Make one of a job's loggers.

    Arguments that the configuration leaves out are filled in from the job, if the class accepts them: `save_dir` is its
    directory, `run_name` its name, and `run_id` the id of its earlier attempt.

    Args:
        key: the entry's name, below `logger`.
        entry: `_target_`, and arguments of the class.
        record: of the job; `tracking` has the ids of earlier attempts.
        folder: the job's directory.
        name: of the job.

    Raises:
        InputError: the entry is no logger, lacks its package, or refuses its arguments.
    """
    target = entry.get("_target_")
    logger_class = _locate(key, target)
    accepted = inspect.signature(logger_class).parameters
    arguments = {option: value for option, value in entry.items() if not option.startswith("_")}
    of_job = {"save_dir": str(folder), "run_name": name, "run_id": record.tracking.get(key, {}).get("run_id")}
    arguments = {option: value for option, value in of_job.items() if option in accepted} | arguments
    try:
        return logger_class(**arguments)
    except ModuleNotFoundError as error:
        extra = f": pip install 'agegender[{key}]'" if key in _EXTRAS else "; install it"
        raise InputError(f"logger={key} needs a package ({first_line(error)}){extra}") from error
    except (TypeError, ValueError) as error:
        raise InputError(f"logger.{key}: {first_line(error)}; check its keys") from error


def _locate(key: str, target: object) -> type[Logger]:
    if not isinstance(target, str):
        raise InputError(f"logger.{key} has no _target_; give the class of a Lightning logger")
    kind = locate(target, prefix=f"logger.{key}.")
    if not (isinstance(kind, type) and issubclass(kind, Logger)):
        raise InputError(f"logger.{key}._target_={target} is not a Lightning logger")
    return kind


def run_id_of(logger: Logger) -> dict[str, str]:
    """Return the id by which a resumed job finds its run again; empty for loggers that need none."""
    if isinstance(logger, MLFlowLogger) and logger.run_id is not None:
        return {"run_id": logger.run_id}
    return {}
