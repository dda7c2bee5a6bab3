"""The loop of the sweeper `optuna`: ask the study for trials, run them, report their scores to the study, repeat."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig

from agegender.jobs.outcomes import Outcome
from agegender.jobs.run import resolve
from agegender.jobs.stop_flag import stop_flag
from agegender.jobs.trial import study_path
from agegender.sweeps.result import SweepResult, result_of
from agegender.sweeps.search.best import write_best
from agegender.sweeps.search.options import Options, read_options
from agegender.sweeps.search.space import Space, parse_space
from agegender.sweeps.search.trials import Trial, Trials
from agegender.system.errors import InputError, end, first_line, refuse
from agegender.system.locks import HeldElsewhere, locked
from agegender.system.signals import signal_of, stop_signals

_HOPELESS = 3  # so many jobs refused and none accepted: every further trial would repeat the mistake


def search(
    given: dict[str, Any], config: DictConfig, context: HydraContext, launcher: Launcher, arguments: Sequence[str]
) -> list[Sequence[JobReturn]]:
    """Start or resume a search, and run it until `n_trials` trials have a score or are pruned.

    Args:
        given: options, as in `conf/hydra/sweeper/optuna.yaml`.
        config: of the multirun, composed.
        context: Hydra's, which composes.
        launcher: runs jobs.
        arguments: overrides of the command line, without Hydra's own.

    Returns:
        What the launcher returned for each batch. A mistake of the user's ends the process with exit code 2.
    """
    try:
        options = read_options(given)
        space = parse_space(options.params or {}, arguments, context.config_loader)
        resolved = resolve(config)
        path = study_path(resolved)
        with locked(path.parent, timeout=0):
            composer = Composer(config, context, space)
            composer.check_space()
            trials = Trials(path, options, space, resolved.plain)
            return Search(options, config, launcher, trials, composer, result_of(context)).run()
    except HeldElsewhere:
        refuse("this search is running in another process; wait for it, or choose another name=")
    except (InputError, OSError) as error:
        end(error)


class Composer:
    """Composes the configurations of trials.

    Args:
        config: of the multirun.
        context: Hydra's.
        space: what is searched.
    """

    def __init__(self, config: DictConfig, context: HydraContext, space: Space) -> None:
        self.config = config
        self.loader = context.config_loader
        self._space = space
        self._composed: dict[tuple[str, ...], DictConfig] = {}

    def compose(self, overrides: Sequence[str]) -> DictConfig:
        """Compose and check a configuration.

        Raises:
            InputError: it does not compose, or a value is out of range.
        """
        key = tuple(overrides)
        if key not in self._composed:
            try:
                own = self.loader.load_sweep_config(self.config, self.all_of(overrides))
            except HydraException as error:
                raise InputError(f"{' '.join(overrides)}: {first_line(error)}") from error
            resolve(own)
            self._composed[key] = own
        return self._composed[key]

    def all_of(self, overrides: Sequence[str]) -> list[str]:
        """Return a trial's overrides after those that all trials have in common."""
        return [*self._space.fixed, *overrides]

    def check_space(self) -> None:
        """Compose every bound and choice by itself, before any trial starts.

        Raises:
            InputError: one is not valid.
        """
        for override in self._space.edges():
            self.compose([override])


class Search:
    """A search, from the next trial to its end.

    Args:
        options: how it searches.
        config: of the multirun.
        launcher: runs jobs.
        trials: the study.
        composer: of the trials' configurations.
        result: of the multirun; the launcher adds the outcomes of its jobs, the search those of other trials.
    """

    def __init__(
        self,
        options: Options,
        config: DictConfig,
        launcher: Launcher,
        trials: Trials,
        composer: Composer,
        result: SweepResult,
    ) -> None:
        self._options = options
        self._config = config
        self._launcher = launcher
        self._trials = trials
        self._composer = composer
        self._result = result
        self._folder = Path(config.hydra.sweep.dir)
        self._outcomes: list[Outcome] = []  # of all trials
        self._num_launched = 0

    def run(self) -> list[Sequence[JobReturn]]:
        """Run batch after batch; on a signal the trials stay open, and the same command resumes them."""
        returned = []
        stop_signals.install()
        try:
            unfinished = self._trials.unfinished()
            left = self._options.n_trials - self._trials.num_finished()
            while left > 0 and not self._must_stop():
                size = min(self._options.n_jobs, left)
                batch = unfinished[:size]
                unfinished = unfinished[size:]
                batch += [self._trials.ask() for _ in range(size - len(batch))]
                left -= len(batch)  # failed ones count too: a space where every trial fails must end
                returned.append(self._launch(batch))
        except KeyboardInterrupt as stop:
            stop_flag.interrupt(signal_of(stop))
        self._conclude()
        return returned

    def _must_stop(self) -> bool:
        statuses = {outcome.status for outcome in self._outcomes}
        failed = bool(statuses & {"failed", "refused"}) and self._config.on_error == "stop"
        hopeless = statuses == {"refused"} and len(self._outcomes) >= _HOPELESS
        return failed or hopeless or stop_flag.reason is not None or "submitted" in statuses

    def _launch(self, batch: list[Trial]) -> Sequence[JobReturn]:
        folders: dict[Path, list[Trial]] = {}  # trials of the same values are one job
        for trial in batch:
            try:
                folders.setdefault(_folder(self._composer.compose(trial.overrides)), []).append(trial)
            except InputError as error:  # bounds that are valid by themselves, but not together
                refused = Outcome(self._folder, "refused", str(error))
                self._outcomes.append(refused)
                self._result.outcomes.append(refused)
                self._trials.tell(trial, refused)
        jobs = [self._job(same[0]) for same in folders.values()]
        returned = self._launcher.launch(jobs, self._num_launched) if jobs else []
        self._num_launched += len(jobs)
        for one, (folder, same) in zip(returned, folders.items(), strict=True):
            outcome: Outcome = one.return_value
            self._outcomes.append(outcome)
            for trial in same:
                self._trials.tell(trial, Outcome(folder, outcome.status, outcome.reason))
        return returned

    def _job(self, trial: Trial) -> list[str]:
        asks = [f"++search.trial={trial.number}"] if self._options.pruner != "none" else []
        return [*self._composer.all_of(trial.overrides), *asks]

    def _conclude(self) -> None:
        best = self._trials.best()
        if best is None:
            self._result.closing = [f"{self._trials.summary()}; no best one yet."]
            return
        trial, score = best
        best_score = f"trial {trial.number} has the best {self._options.metric}, {score:.4f}"
        own = self._composer.compose(trial.overrides)
        command = write_best(
            self._folder, self._config, self._composer.loader, own, f"Search {self._folder}: {best_score}."
        )
        self._result.closing = [
            f"{self._trials.summary()}; {best_score} ({_folder(own)}):",
            *(f"  {override}" for override in trial.overrides),
            f"{self._folder / 'best.yaml'} holds its configuration; to train it: {command}",
        ]


def _folder(own: DictConfig) -> Path:
    return Path(own.hydra.sweep.dir) / own.hydra.sweep.subdir
