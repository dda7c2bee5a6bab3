"""Lightning's trainer, and which of its warnings and errors are shown."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import RichModelSummary, RichProgressBar

from agegender.system.errors import InputError, first_line
from agegender.training.checkpoint_file import CheckpointFile
from agegender.training.precision import choose_precision, uses_gpu

STEPS_PER_REFRESH = 5  # of the progress bar, which takes about 0.2 ms


def quiet_libraries() -> None:
    """Silence messages of libraries that come in every job and need no action; errors and other warnings stay."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in (
        ".*The .srun. command is available on your system but is not used.*",  # a login node
        ".*does not have many workers.*",  # batches are gathered from memory: no worker is faster
        ".*exists and is not empty.*",  # a resumed job's own checkpoints
        ".*The number of training batches .* is smaller than the logging interval.*",
        ".*GPU available but not used.*",
        ".*It is recommended to use .self.log.*sync_dist=True.*",  # every process evaluates all images
        ".*Checkpoint directory .* exists.*",
        ".*Using .DistributedSampler. with the dataloaders.*",
        ".*isinstance.treespec, LeafSpec.. is deprecated.*",  # Lightning on newer PyTorch
        ".*is not supported by the model summary.*",  # of mixed precision: the megabytes are those of float32
    ):
        warnings.filterwarnings("ignore", message=message)


def make_trainer(
    config: dict[str, Any],
    *,
    folder: Path,
    callbacks: list[lightning.Callback],
    logger: Any,
    kind: type[lightning.Trainer] = lightning.Trainer,
) -> lightning.Trainer:
    """Make Lightning's trainer, or one of the user's own.

    Args:
        config: its arguments; `_target_` among them has been read already.
        folder: of the job.
        callbacks: the progress bar and the model summary are added to them.
        logger: Lightning's, or False.
        kind: class of the trainer.

    Raises:
        InputError: Lightning rejects an argument, or the requested hardware is missing.
    """
    arguments = {key: value for key, value in config.items() if key != "_target_"}
    arguments["precision"] = choose_precision(arguments["precision"], arguments["accelerator"])
    if arguments.get("deterministic") == "auto":
        arguments["deterministic"] = not uses_gpu(arguments["accelerator"])
    if uses_gpu(arguments["accelerator"]) and not arguments["deterministic"]:
        arguments.setdefault("benchmark", True)  # cuDNN's autotuner: all batches have one size
    # With deterministic algorithms PyTorch fills new memory with NaN, to expose code that reads it; none here does.
    torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]
    if arguments.get("enable_progress_bar", True):
        callbacks = [*callbacks, RichProgressBar(refresh_rate=STEPS_PER_REFRESH)]
    if arguments.get("enable_model_summary"):
        callbacks = [*callbacks, RichModelSummary()]  # Lightning's default summary goes to a log that is silenced here
    with refused_arguments():
        return kind(
            **{"enable_model_summary": False, "num_sanity_val_steps": 0, **arguments},
            callbacks=callbacks,
            logger=logger,
            default_root_dir=folder,
            use_distributed_sampler=False,
            # A requeued job resumes from `last.ckpt`; Lightning's own file would be found by any later run here.
            plugins=[CheckpointFile(), *([SLURMEnvironment(auto_requeue=False)] if SLURMEnvironment.detect() else [])],
        )


@contextmanager
def refused_arguments() -> Iterator[None]:
    """Turn the errors by which Lightning rejects arguments, some only once it sees the data, into an InputError."""
    try:
        yield
    except RuntimeError as error:
        if "more than one stateful callback" not in str(error):
            raise
        message = "two callbacks have the same class and settings; leave one of them out (early_stopping= is one, too)"
        raise InputError(f"callbacks: {message}: {first_line(error)}") from error
    except (MisconfigurationException, ValueError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        if not isinstance(error, MisconfigurationException) and not _was_raised_by_lightning(error):
            raise
        raise InputError(f"trainer: {error}") from error


def _was_raised_by_lightning(error: BaseException) -> bool:
    """Whether Lightning itself raised an error, or the call of its constructor failed; not code that it calls."""
    traceback = error.__traceback__
    modules = []
    while traceback is not None:
        modules.append(str(traceback.tb_frame.f_globals.get("__name__")))
        traceback = traceback.tb_next
    return modules[-1].startswith("lightning.") or modules[-1] == __name__
