"""The trials of a search: created, resumed after a search was stopped, and closed with their scores."""

import math
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agegender.jobs.outcomes import Outcome
from agegender.jobs.trial import METRIC, PRUNER, OpenStudy, import_optuna
from agegender.records import identity, record
from agegender.sweeps.search.options import Options
from agegender.sweeps.search.space import Space
from agegender.system.errors import InputError

_OVERRIDES = "overrides"  # attributes of a trial
_REASON = "reason"
_SPACE = "space"  # attributes of the study
_CONFIG = "config"


@dataclass(frozen=True)
class Trial:
    """One trial.

    Attributes:
        number: in the study.
        overrides: its values.
    """

    number: int
    overrides: tuple[str, ...]


class Trials:
    """The study of a search, as the search sees it.

    Args:
        path: of the study's file.
        options: of the search.
        space: what is searched.
        config: resolved, without any trial's values.

    Raises:
        InputError: the study was started with another space, score or configuration.
    """

    def __init__(self, path: Path, options: Options, space: Space, config: dict[str, Any]) -> None:
        self._options = options
        self._space = space
        self._opened = OpenStudy(path, options.better)
        self._study = self._opened.study
        self._states = import_optuna().trial.TrialState
        self._claim(path, config)

    def _claim(self, path: Path, config: dict[str, Any]) -> None:
        """Check that new trials can be compared with those that the study holds; write down what jobs report."""
        options = self._options
        space = {key: str(one) for key, one in self._space.distributions.items()}
        known = self._study.user_attrs
        if self._study.trials:
            before = {"metric": known[METRIC], "direction": self._study.direction.name.lower(), "space": known[_SPACE]}
            now = {"metric": options.metric, "direction": options.better, "space": space}
            different = identity.differences({**known[_CONFIG], "sweeper": before}, {**config, "sweeper": now})
            if different:
                raise InputError(
                    f"the search in {path.parent} was started with other settings ({'; '.join(different[:3])}"
                    f"{' and more' if len(different) > 3 else ''}); choose another name="
                )
        pruner = options.model_dump(include={"warmup_trials", "warmup_epochs"}) | {"kind": options.pruner}
        for key, value in ((METRIC, options.metric), (_SPACE, space), (_CONFIG, config), (PRUNER, pruner)):
            if known.get(key) != value:
                self._study.set_user_attr(key, value)

    def num_finished(self) -> int:
        """Count the trials with a score and those that were pruned; failed ones are to be replaced by others."""
        finished = (self._states.COMPLETE, self._states.PRUNED)
        return len(self._study.get_trials(deepcopy=False, states=finished))

    def unfinished(self) -> list[Trial]:
        """Return the trials that an earlier search left open; one that had no values yet is closed as failed."""
        found = []
        for one in self._study.get_trials(states=(self._states.RUNNING,)):
            overrides = one.user_attrs.get(_OVERRIDES)
            if overrides is None:
                self._fail(one.number, "the search was stopped before it began")
            else:
                found.append(Trial(one.number, tuple(overrides)))
        return found

    def ask(self) -> Trial:
        """Choose the values of a new trial.

        They follow from the seed, the number of the trial and those before it: a search that was stopped resumes
        with the values that it would have had.
        """
        samplers = import_optuna().samplers
        number = len(self._study.get_trials(deepcopy=False))
        seed = random.Random(f"{self._options.seed}/{number}").getrandbits(32)
        if self._options.sampler == "random":
            self._study.sampler = samplers.RandomSampler(seed)
        else:
            self._study.sampler = samplers.TPESampler(seed=seed, constant_liar=True)  # open trials count as bad ones
        asked = self._study.ask(self._space.distributions)
        overrides = self._space.overrides(asked.params)
        asked.set_user_attr(_OVERRIDES, overrides)
        return Trial(asked.number, tuple(overrides))

    def tell(self, trial: Trial, outcome: Outcome) -> None:
        """Record in the study how a trial's job ended; a trial whose job can be resumed stays open."""
        if outcome.status in ("interrupted", "not started", "submitted"):
            return
        try:
            entry = record.read(outcome.folder)
        except InputError as error:
            self._fail(trial.number, str(error))
            return
        if outcome.status == "refused" and entry is not None and entry.status == "running":
            return  # another process trains it: a job that outlived the search that had started it
        if outcome.status in ("failed", "refused"):
            self._fail(trial.number, outcome.reason or outcome.status)
            return
        if entry is not None and entry.status == "pruned":
            self._study.tell(trial.number, state=self._states.PRUNED)
            return
        score = None if entry is None or entry.status != "complete" else score_of(entry, self._options.metric)
        if score is None:
            self._fail(trial.number, f"its record holds no {self._options.metric}")
        else:
            self._study.tell(trial.number, score)

    def _fail(self, number: int, reason: str) -> None:
        self._opened.trial(number).set_user_attr(_REASON, reason)
        self._study.tell(number, state=self._states.FAIL)

    def best(self) -> tuple[Trial, float] | None:
        """Return the trial with the best score, and the score; None where no trial has one."""
        if not self._study.get_trials(deepcopy=False, states=(self._states.COMPLETE,)):
            return None
        best = self._study.best_trial
        assert best.value is not None
        return Trial(best.number, tuple(best.user_attrs[_OVERRIDES])), best.value

    def summary(self) -> str:
        """Count the trials by how they ended."""
        names = {"COMPLETE": "with a score", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "not finished"}
        states = [one.state.name for one in self._study.get_trials(deepcopy=False)]
        counts = [f"{states.count(state)} {name}" for state, name in names.items() if state in states]
        return f"{len(states)} trial{'s' if len(states) > 1 else ''}: {', '.join(counts)}"


def score_of(entry: record.Record, metric: str) -> float | None:
    """Return a validation score of a complete run's best epoch; None where it has none, or no finite number.

    Test scores are never used: a score that chooses a configuration no longer measures it.
    """
    value = entry.val.get(metric.removeprefix("val/"))
    if metric == "val/loss":
        value = next((epoch["val_loss"] for epoch in entry.history if epoch["epoch"] == entry.best_epoch), None)
    return value if isinstance(value, float) and math.isfinite(value) else None
