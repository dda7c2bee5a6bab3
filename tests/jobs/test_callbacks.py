"""Tests of callbacks of the user's own: `callbacks=`, a dictionary of `_target_`s."""

from pathlib import Path

import lightning
import pytest
from composing import composed
from lightning.pytorch.callbacks import EarlyStopping, LearningRateMonitor
from tiny_training import Trains

from agegender.jobs import build, callbacks
from agegender.jobs.config import parse
from agegender.records.job_folder import JobFolder
from agegender.system.errors import InputError

STOP = "+callbacks.stop._target_=lightning.pytorch.callbacks.EarlyStopping"


def kinds(*overrides: str) -> list[type[lightning.Callback]]:
    return [type(callback) for callback in callbacks.make_callbacks(parse(composed(*overrides)), JobFolder(Path()))]


def test_a_callback_is_appended_to_the_frameworks_own() -> None:
    own = kinds()
    assert sorted(map(str, kinds("callbacks=lr_monitor"))) == sorted(map(str, [*own, LearningRateMonitor]))
    assert LearningRateMonitor in kinds("callbacks=lr_monitor", "debug=fdr")


def test_an_option_takes_the_arguments_of_its_class() -> None:
    config = composed("callbacks=early_stopping", "callbacks.early_stopping.patience=2")
    (stop,) = build.make_callbacks(config["callbacks"])
    assert isinstance(stop, EarlyStopping) and stop.patience == 2 and stop.monitor == "val/mean_accuracy"


def test_a_callback_that_is_null_is_left_out() -> None:
    assert build.make_callbacks({"a": None}) == []


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("+callbacks.a._target_=torch.nn.Linear",), "is not a Callback"),
        (("+callbacks.a._target_=my_package.MyCallback",), "does not exist; check its spelling"),
        ((STOP, "+callbacks.stop.monitor=val/loss", "+callbacks.stop.patients=3"), "patients"),
    ],
)
def test_what_is_no_callback_is_refused(overrides: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build.make_callbacks(composed(*overrides)["callbacks"])


def test_a_training_stops_where_the_users_own_early_stopping_says(trains: Trains, tmp_path: Path) -> None:
    stop = (STOP, "+callbacks.stop.monitor=val/loss", "+callbacks.stop.stopping_threshold=100")
    status, record = trains(tmp_path, "trainer.max_epochs=4", *stop)
    assert status == "complete" and record is not None
    assert len(record.history) == 1


def test_a_callback_that_is_there_already_is_refused_in_one_line(trains: Trains, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two callbacks have the same class and settings"):
        trains(tmp_path, "callbacks=early_stopping", "early_stopping=5")
