"""Tests of `trainer._target_`: the class that is made, a subclass of the user's own among them."""

import sys
from pathlib import Path

import composing
import lightning
import pytest
from composing import composed
from tiny_training import Trains

from agegender.jobs import build
from agegender.jobs.evaluate import evaluate
from agegender.records import record
from agegender.system.errors import InputError

OWN = """
import lightning

made = []


class Slow(lightning.Trainer):
    def __init__(self, *, patience_seconds=0, **arguments):
        super().__init__(**arguments)
        made.append(patience_seconds)


def no_class(**arguments):
    return lightning.Trainer(**arguments)
"""


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "own_trainers.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_trainers", raising=False)
    return "own_trainers"


@pytest.mark.parametrize("option", ["auto", "cpu", "ddp", "ddp_sim", "gpu", "mps"])
def test_every_option_of_trainer_names_the_class_that_is_made(option: str) -> None:
    assert build.trainer_class(composed(f"trainer={option}")["trainer"]) is lightning.Trainer


def test_a_configuration_without_a_target_means_lightnings_own() -> None:
    assert build.trainer_class({"accelerator": "cpu"}) is lightning.Trainer


def test_lightnings_other_names_of_its_trainer_are_the_same_class() -> None:
    assert build.trainer_class({"_target_": "lightning.pytorch.trainer.Trainer"}) is lightning.Trainer


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("torch.nn.Linear", "trainer._target_=torch.nn.Linear is not a lightning.Trainer; name a subclass of it"),
        ("own_trainers.no_class", "is not a lightning.Trainer"),
        ("own_trainers.Quick", "does not exist; check its spelling"),
    ],
)
def test_what_is_no_trainer_is_refused(own_module: str, target: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build.trainer_class(composed(f"trainer._target_={target}")["trainer"])


def test_a_trainer_of_the_users_own_trains_and_tests_with_its_own_arguments(
    trains: Trains, tmp_path: Path, own_module: str, caplog: pytest.LogCaptureFixture
) -> None:
    own = (f"trainer._target_={own_module}.Slow", "+trainer.patience_seconds=7")
    status, made = trains(tmp_path, *own)
    assert status == "complete" and made is not None
    assert sys.modules[own_module].made == [7]
    request = composing.composed(f"ckpt_path={tmp_path}/job/checkpoints/best.ckpt", name="eval")
    assert evaluate(request).test == made.test
    assert sys.modules[own_module].made == [7, 7] and "evaluated with" not in caplog.text

    del sys.modules[own_module]
    (tmp_path / "own_trainers.py").unlink()
    assert evaluate(request).test == made.test  # on a machine that has not got the class
    assert f"trainer._target_={own_module}.Slow" in caplog.text and "evaluated with lightning.Trainer" in caplog.text


def test_a_class_that_is_no_trainer_is_refused_before_any_image_is_read(trains: Trains, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a lightning"):
        trains(tmp_path, "trainer._target_=torch.nn.Linear", "data.root=nowhere")
    begun = record.read(tmp_path / "job")
    assert begun is not None and begun.data == {}
