import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from composing import composed
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial

from agegender.jobs.config import parse, replaced
from agegender.jobs.pruning import Pruning, make_pruning
from agegender.jobs.trial import METRIC, PRUNER, OpenStudy, study_path

GOOD = {epoch: 0.8 for epoch in range(10)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A study with one good trial, and a second one that is running, which may be pruned after 2 epochs."""
    path = study_path(parse(composed(f"runs_dir={tmp_path}", "name=n")))
    study = OpenStudy(path, "maximize").study
    study.set_user_attr(METRIC, "val/mean_accuracy")
    study.set_user_attr(PRUNER, {"kind": "median", "warmup_trials": 1, "warmup_epochs": 2})
    values = {"params": {"x": 0.5}, "distributions": {"x": FloatDistribution(0, 1)}}
    study.add_trial(create_trial(value=0.8, intermediate_values=GOOD, **values))
    study.ask()
    return path


def train(callback: Pruning, scores: list[float | None], *, first: int = 0, max_epochs: int = 10) -> int:
    """Train epochs with these validation scores, None without a validation; give the number of epochs done."""
    trainer: Any = SimpleNamespace(max_epochs=max_epochs, world_size=1, should_stop=False, callback_metrics={})
    for epoch, score in enumerate(scores, first):
        trainer.current_epoch = epoch
        callback.on_train_epoch_start(trainer, None)  # pyright: ignore[reportArgumentType]
        if score is not None:
            trainer.callback_metrics["val/mean_accuracy"] = score
            callback.on_validation_end(trainer, None)  # pyright: ignore[reportArgumentType]
        callback.on_train_epoch_end(trainer, None)  # pyright: ignore[reportArgumentType]
        assert trainer.should_stop == callback.pruned
        if trainer.should_stop:
            return epoch + 1
    return first + len(scores)


def test_a_trial_worse_than_the_others_ends_after_its_warmup(path: Path) -> None:
    assert train(Pruning(OpenStudy(path), 1), [0.1] * 10) == 3
    assert OpenStudy(path).study.trials[1].intermediate_values == {0: 0.1, 1: 0.1, 2: 0.1}


def test_a_trial_as_good_as_the_others_is_trained_to_its_end(path: Path) -> None:
    assert train(Pruning(OpenStudy(path), 1), [0.1, 0.9] * 5) == 10


def test_the_last_epoch_is_not_pruned_as_the_job_is_complete(path: Path) -> None:
    callback = Pruning(OpenStudy(path), 1)
    assert train(callback, [0.1] * 3, max_epochs=3) == 3 and not callback.pruned


def test_an_epoch_without_validation_is_not_judged_by_the_score_of_another(path: Path) -> None:
    assert train(Pruning(OpenStudy(path), 1), [0.1, 0.1, None, None, 0.1]) == 5
    assert sorted(OpenStudy(path).study.trials[1].intermediate_values) == [0, 1, 4]


def test_a_resumed_job_may_report_an_epoch_again(path: Path) -> None:
    train(Pruning(OpenStudy(path), 1), [0.1, 0.2])
    assert train(Pruning(OpenStudy(path), 1), [0.2, 0.1], first=1) == 3


def test_a_study_out_of_reach_costs_the_pruning_and_not_the_job(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    callback = Pruning(OpenStudy(path), 1)
    shutil.rmtree(path.parent)
    assert train(callback, [0.1] * 5) == 5
    assert caplog.text.count("out of reach") == 1


def test_only_the_job_of_a_running_trial_asks_its_study(path: Path) -> None:
    config = parse(composed(f"runs_dir={path.parents[2]}", "name=n"))
    trial = replaced(config, {"search.trial": 1})
    assert make_pruning(config) is None
    assert make_pruning(replaced(config, {"search.trial": 7})) is None
    assert make_pruning(replaced(trial, {"name": "other"})) is None
    assert make_pruning(trial) is not None
    OpenStudy(path).study.tell(1, state=TrialState.FAIL)
    assert make_pruning(trial) is None
