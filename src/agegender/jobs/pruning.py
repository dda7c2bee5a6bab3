"""A trial of a search that may end early: its job reports each epoch's score to the study, and asks it."""

import logging
from typing import TYPE_CHECKING

import lightning

from agegender.jobs.schema import Config
from agegender.jobs.trial import METRIC, OpenStudy, study_path
from agegender.system.processes import is_main_process

if TYPE_CHECKING:
    import optuna

log = logging.getLogger(__name__)


class Pruning(lightning.Callback):
    """Reports the score of each epoch, and ends the training where the study's pruner says so.

    A study that cannot be reached any more costs the pruning, not the job.

    Args:
        opened: the study.
        number: of the trial.

    Attributes:
        pruned: whether the training ended so.
    """

    def __init__(self, opened: OpenStudy, number: int) -> None:
        self.pruned = False
        self._trial: optuna.trial.Trial | None = opened.trial(number)
        self._metric: str = opened.study.user_attrs[METRIC]
        self._validated = False

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._validated = False

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._validated = True

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Come before the checkpoints, which keep the epoch: Lightning calls those last."""
        last = trainer.current_epoch + 1 == trainer.max_epochs  # then it is complete
        stop = self._should_prune(trainer) and not last
        if trainer.world_size > 1:  # the processes must end together, and one of them alone asks
            stop = trainer.strategy.reduce_boolean_decision(stop, all=False)
        if stop:
            self.pruned = trainer.should_stop = True

    def _should_prune(self, trainer: lightning.Trainer) -> bool:
        if self._trial is None or not self._validated or not is_main_process():
            return False
        epoch = trainer.current_epoch  # from 0, as pruners count steps
        try:
            if epoch not in self._trial.storage.get_trial(self._trial._trial_id).intermediate_values:
                self._trial.report(float(trainer.callback_metrics[self._metric]), epoch)
            return self._trial.should_prune()
        except (OSError, RuntimeError, ValueError) as error:  # ValueError: a damaged line; RuntimeError: no lock, ended
            log.warning("the study of the search is out of reach (%s); this trial continues without it", error)
            self._trial = None
            return False


def make_pruning(config: Config) -> Pruning | None:
    """Make the callback of a search's trial; None for any other job.

    Args:
        config: `search.trial` is the trial's number.
    """
    number = config.search.trial
    path = study_path(config)
    if number is None or not path.exists():
        return None
    opened = OpenStudy(path)
    trials = opened.study.get_trials(deepcopy=False)
    if number >= len(trials) or trials[number].state.is_finished():
        return None  # somebody runs a trial's job again by hand
    return Pruning(opened, number)
