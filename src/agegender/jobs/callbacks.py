"""Which callbacks a job's configuration asks for, and whether an earlier attempt can be resumed."""

import logging

import lightning
from lightning.pytorch.callbacks import EarlyStopping

from agegender.jobs import build
from agegender.jobs.combinations import is_lower_better, why_not_validated
from agegender.jobs.schema import Config
from agegender.records.job_folder import JobFolder
from agegender.system.errors import InputError
from agegender.training.checkpoint_file import read_checkpoint
from agegender.training.checkpoints import FixedNameCheckpoint, Interruptible, LastCheckpoint, MovingAverage

log = logging.getLogger(__name__)


def make_callbacks(config: Config, folder: JobFolder) -> list[lightning.Callback]:
    """Make the callbacks that average, keep and stop.

    Args:
        config: of the job.
        folder: where the checkpoints are kept.
    """
    callbacks = [*averaging(config), *build.make_callbacks(config.callbacks)]
    if config.trainer.fast_dev_run:
        return callbacks
    interruptible = Interruptible(folder.last, config.checkpoint_minutes)
    callbacks.append(interruptible)
    mode = "min" if is_lower_better(config.monitor) else "max"
    chosen = {"monitor": config.monitor, "mode": mode}
    if why_not_validated(config) is not None:
        chosen = {"mode": "max"}  # nothing to choose by: the last epoch; the mode tells this callback from the next
    callbacks.append(FixedNameCheckpoint(folder.checkpoints, "best", callbacks, **chosen))
    callbacks.append(LastCheckpoint(folder.checkpoints, interruptible))
    if config.early_stopping is not None:
        callbacks.append(EarlyStopping(config.monitor, patience=config.early_stopping, mode=mode))
    return callbacks


def can_resume(folder: JobFolder) -> bool:
    """Whether an earlier attempt left checkpoints that are whole; they are left where they are.

    Only the last checkpoint holds the optimizer and the place in the schedule: a training that resumed from the best
    one's weights alone would be another experiment.
    """
    if not folder.last.exists():
        return False
    try:
        for path in (folder.last, folder.best):
            if path.exists():
                read_checkpoint(path)
    except InputError as error:
        log.warning("%s; the training restarts from its first epoch", error)
        return False
    return True


def averaging(config: Config) -> list[lightning.Callback]:
    """Return the moving average of the weights, evaluated and saved in their place, if there is to be one."""
    decay = config.weight_averaging
    return [] if decay is None else [MovingAverage(decay)]
