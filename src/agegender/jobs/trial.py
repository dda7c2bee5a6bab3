"""The study of a search: its trials and how they ended, in one file that the search and its jobs share.

Optuna's journal, not SQLite: jobs of a cluster write it over a network file system, where SQLite's locks (fcntl) may
not hold and a database can be damaged. The journal is only ever appended to, a line per event, under a lock that is a
file created exclusively, which NFS does atomically since version 3; the lock of a killed process expires after 30
seconds. (Optuna's own choice, a symbolic link, expires only where its path is absolute.)
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from agegender.jobs.schema import Config
from agegender.system.errors import InputError

if TYPE_CHECKING:
    import optuna

PRUNER = "pruner"  # attributes of the study: what `make_pruner` is given,
METRIC = "metric"  # and the score that the search is for
_NAME = "search"  # a file holds one study


def study_path(config: Config) -> Path:
    """Return the file of the study of a name."""
    return config.runs_folder / "search" / "study.journal"


class OpenStudy:
    """A study and its file.

    Args:
        path: of the file; made where it is missing.
        direction: `maximize` or `minimize`; None: the study exists.

    Raises:
        InputError: Optuna is not installed, or the file is no study.

    Attributes:
        study: Optuna's.
    """

    def __init__(self, path: Path, direction: str | None = None) -> None:
        optuna = import_optuna()
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock = optuna.storages.journal.JournalFileOpenLock(str(path))
            self._storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path), lock))
            if direction is not None:
                optuna.create_study(study_name=_NAME, storage=self._storage, direction=direction, load_if_exists=True)
            self.study = optuna.load_study(study_name=_NAME, storage=self._storage)
        except (ValueError, KeyError) as error:
            raise InputError(f"{path} is not a search's study ({error}); choose another name=") from error
        kind = self.study.user_attrs.get(PRUNER)
        if kind is not None:
            self.study.pruner = make_pruner(**kind)

    def trial(self, number: int) -> "optuna.trial.Trial":
        """Return a trial that this process or another one has started."""
        optuna = import_optuna()
        study_id = self._storage.get_study_id_from_name(_NAME)
        return optuna.trial.Trial(self.study, self._storage.get_trial_id_from_study_id_trial_number(study_id, number))


def import_optuna() -> Any:
    """Import Optuna, silent unless it warns.

    Raises:
        InputError: it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise InputError("hparams_search needs the extra: pip install 'agegender[search]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def make_pruner(kind: str, warmup_trials: int, warmup_epochs: int) -> "optuna.pruners.BasePruner":
    """Make the pruner, which decides when a trial ends early.

    Args:
        kind: `median` or `none`.
        warmup_trials: complete ones, before a trial is pruned.
        warmup_epochs: of each trial, before it is pruned.
    """
    optuna = import_optuna()
    if kind == "none":
        return optuna.pruners.NopPruner()
    assert kind == "median"
    return optuna.pruners.MedianPruner(n_startup_trials=warmup_trials, n_warmup_steps=warmup_epochs)
