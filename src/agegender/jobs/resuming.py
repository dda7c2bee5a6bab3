"""Whether the run in a job's directory is done, can be resumed, or trained further (`resume=extend`)."""

from agegender.jobs.schema import Config
from agegender.records import identity, record
from agegender.records.job_folder import LAST, JobFolder
from agegender.records.record import Record
from agegender.system.errors import InputError

_ANEW = "leave resume=extend out to train from the start, in a directory of its own or with another name="


def is_finished(folder: JobFolder, previous: Record, config: Config) -> bool:
    """Whether the run that a job's directory holds is what the job would do.

    Raises:
        InputError: it is another configuration's, and has ended or can be resumed; or it cannot be trained further.
    """
    finished = previous.status in record.FINISHED
    if is_to_extend(previous, config):
        if finished:
            _check_extendable(folder, previous)
        return False
    if finished or folder.last.exists():
        identity.check_same(folder.path, previous.config, config.plain)
    return finished


def is_to_extend(previous: Record, config: Config) -> bool:
    """Whether a job is to train a run with fewer epochs further."""
    return config.resume == "extend" and identity.is_extension(previous.config, config.plain)


def _check_extendable(folder: JobFolder, previous: Record) -> None:
    """Refuse to train a finished run further where the result would not be that of a longer training."""
    reason = None
    schedule = str(previous.setting("schedule._target_") or "constant").rpartition(".")[2]
    if previous.status == "pruned":
        reason = "its search ended it"
    elif schedule != "constant":
        reason = "its learning rates had followed a schedule to its end, and one of more epochs differs from the start"
    elif previous.setting("augment.start_size") is not None:
        reason = "its images had grown to their size, and grow more slowly over more epochs"
    elif not folder.last.exists():
        reason = f"{LAST} is gone"
    if reason is not None:
        raise InputError(f"resume=extend: {folder} cannot be trained further: {reason}; {_ANEW}")


def refuse_without_optimizer(folder: JobFolder, *, has_optimizer: bool) -> None:
    """Refuse to train a run further whose last checkpoint holds no state of its optimizer.

    Raises:
        InputError: it holds none.
    """
    if not has_optimizer:
        raise InputError(
            f"resume=extend: {folder} cannot be trained further: its {LAST} is without the optimizer's state "
            f"(keep_optimizer=false, or an earlier version); {_ANEW}"
        )
