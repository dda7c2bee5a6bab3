"""Tests of schedule, augmentation and averaging together, of resuming, and of the recipes of conf/experiment."""

import signal
from pathlib import Path
from typing import Any

import composing
import lightning
import pytest
import torch
from torch import Tensor

from agegender.data.datamodule import UTKFaceDataModule
from agegender.jobs import build, callbacks, fit
from agegender.jobs.config import parse
from agegender.jobs.evaluate import evaluate
from agegender.labels import age_groups
from agegender.records.job_folder import JobFolder
from agegender.records.record import Record, write
from agegender.system.errors import InputError
from agegender.system.signals import signal_of
from agegender.training import checkpoints, trainers
from agegender.training.module import AgeGenderModule

OVERRIDES = ("trainer=cpu", "logger=none", "schedule=one_cycle", "augment=standard", "data.batch_size=8")


class Weights(lightning.Callback):
    """Keeps a weight after every step."""

    def __init__(self) -> None:
        self.seen: list[Tensor] = []

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.seen.append(pl_module.network.heads.gender.weight.detach().clone())


def fitted(config: dict[str, Any], faces: Path, *others: lightning.Callback) -> AgeGenderModule:
    trainers.quiet_libraries()
    module = build.make_module(config)
    datamodule = UTKFaceDataModule(faces, image_size=64, batch_size=8, cache=False, num_workers=0)
    datamodule.setup()
    module.method.prepare(datamodule.train_age_counts(), torch.from_numpy(datamodule.groups.group_of_age))
    trainer = lightning.Trainer(
        **{"accelerator": "cpu", "max_epochs": 1, "logger": False, "enable_progress_bar": False},
        **{"enable_checkpointing": False, "enable_model_summary": False, "use_distributed_sampler": False},
        callbacks=[*callbacks.averaging(parse(config)), *others],
    )
    trainer.fit(module, datamodule=datamodule)
    return module


@pytest.fixture
def compact(composed: Any, tmp_path: Path) -> Any:
    """Composes a job of a small network that keeps what it writes below the test's directory."""

    def compose(*overrides: str) -> dict[str, Any]:
        config = composed("model=compact_small", "data.image_size=64", *OVERRIDES, *overrides)
        config["runs_dir"] = str(tmp_path / "runs")
        config["data"]["cache_dir"] = str(tmp_path / "cache")
        config["trainer"]["enable_progress_bar"] = False
        return config

    return compose


def test_the_weights_after_training_are_the_moving_average_of_those_after_each_step(
    compact: Any, face_folder: Path
) -> None:
    weights = Weights()
    module = fitted(compact("weight_averaging=0.7"), face_folder, weights)
    assert len(weights.seen) > 4
    average = weights.seen[0]
    for weight in weights.seen[1:]:
        average = 0.7 * average + 0.3 * weight
    torch.testing.assert_close(module.network.heads.gender.weight.detach(), average)  # pyright: ignore


def test_without_averaging_the_weights_are_those_of_the_last_step(compact: Any, face_folder: Path) -> None:
    weights = Weights()
    module = fitted(compact(), face_folder, weights)
    assert torch.equal(module.network.heads.gender.weight.detach(), weights.seen[-1])  # pyright: ignore


@pytest.mark.parametrize(
    ("when", "every_epoch", "steps_kept", "limits"),
    [
        ("killed", True, 8, ()),
        ("killed", False, None, ()),
        ("step", True, 11, ()),
        ("step", False, 11, ()),
        ("validation", True, 16, ()),
        ("validation", False, 16, ()),
        ("between", True, 8, ()),
        ("between", False, 9, ()),
        ("minutes", True, 11, ()),
        ("killed", True, 5, ("trainer.limit_train_batches=5",)),
        ("killed", True, 8, ("data.num_workers=1",)),
        ("killed", False, None, ("data.num_workers=1",)),
    ],
)
def test_a_resumed_training_goes_on_with_schedule_average_and_augmentation_bit_for_bit(
    when: str,
    every_epoch: bool,
    steps_kept: int | None,
    limits: tuple[str, ...],
    compact: Any,
    face_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    states = []
    losses = []
    for name in ("whole", "parts"):
        growing = ("augment.start_size=32", "augment.full_size_from=1")
        config = compact("weight_averaging=0.9", "trainer.max_epochs=3", f"data.root={face_folder}", *growing, *limits)
        config["name"] = name
        if name == "parts":
            config["checkpoint_minutes"] = 1e-9 if when == "minutes" else None
            with monkeypatch.context() as context:
                context.setattr(checkpoints, "_MIN_SECONDS", 0.0 if every_epoch else 60.0)
                context.setattr(callbacks, "averaging", lambda config: [*AVERAGING(config), Stop(when)])
                with pytest.raises((InterruptedError, SystemExit)) as raised:
                    run(config, tmp_path / name)
            assert when in ("killed", "minutes") or signal_of(raised.value) == signal.SIGTERM
            last = tmp_path / name / "checkpoints" / "last.ckpt"
            assert (read(tmp_path / name)["global_step"] if last.exists() else None) == steps_kept
        losses.append([epoch["train_loss"] for epoch in run(config, tmp_path / name).history])
        states.append(read(tmp_path / name)["state_dict"])
    whole, parts = states
    assert [key for key in whole if not torch.equal(whole[key], parts[key])] == []
    assert losses[0] == losses[1]


def read(folder: Path) -> dict[str, Any]:
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)


AVERAGING = callbacks.averaging


class Stop(lightning.Callback):
    """Ends the process's training in the second epoch, at once or by a signal."""

    def __init__(self, when: str) -> None:
        self.when = when

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        if self.when == "between" and trainer.current_epoch == 1:
            signal.raise_signal(signal.SIGTERM)

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if trainer.current_epoch != 1:
            return
        if (self.when == "killed" and batch_idx == 2) or (self.when == "minutes" and batch_idx == 3):
            raise InterruptedError
        if self.when == "step" and batch_idx == 2:
            signal.raise_signal(signal.SIGTERM)

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        if self.when == "validation" and trainer.current_epoch == 1:
            signal.raise_signal(signal.SIGTERM)


def run(config: dict[str, Any], folder: Path) -> Record:
    record = Record(status="running", name=config["name"], choices={}, config=config, seed=config["seed"])
    fit.train(parse(config), JobFolder(folder), record, lambda _: None)
    return record


@pytest.mark.parametrize("averaging", [(), ("weight_averaging=0.9", "loss=ldl")])
def test_without_a_validation_part_the_last_epoch_is_tested(
    averaging: tuple[str, ...], compact: Any, face_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = compact("trainer.max_epochs=2", f"data.root={face_folder}", "data.train_part=trainval", *averaging)
    record = run(config, tmp_path / "job")
    best, last = (torch.load(tmp_path / f"job/checkpoints/{name}.ckpt", weights_only=True) for name in ("best", "last"))
    assert [key for key, weight in best["state_dict"].items() if not torch.equal(weight, last["state_dict"][key])] == []
    assert ("current_model_state" in last) == bool(averaging), "the weights of the last step, beside their average"
    assert (record.best_epoch, record.val, len(record.history)) == (2, {}, 2)
    assert [epoch["val_loss"] for epoch in record.history] == [None, None]
    assert record.data["train_part"] == "trainval" and record.test["age_accuracy"] > 0
    assert [path.name for path in (tmp_path / "job").glob("predictions*")] == ["predictions.csv"]
    evaluate(composing.composed(f"ckpt_path={tmp_path}/job/checkpoints/best.ckpt", "part=val", name="eval"))
    assert "part=val was trained on" in caplog.text


def test_an_average_of_weights_leaves_integers_alone(compact: Any, face_folder: Path) -> None:
    config = compact("weight_averaging=0.9", "loss=ldl")  # 0.9 * 3 + 0.1 * 3 is below 3 in float32
    module = fitted(config, face_folder)
    assert torch.equal(module.method.group_of_age, torch.from_numpy(age_groups("closed").group_of_age))


def test_the_tested_weights_are_the_average_that_validation_saw(
    compact: Any, face_folder: Path, tmp_path: Path
) -> None:
    config = compact("weight_averaging=0.9", "trainer.max_epochs=1", f"data.root={face_folder}")
    record = run(config, tmp_path / "job")
    path = tmp_path / "job" / "checkpoints" / "best.ckpt"
    module = build.load_module(path)
    datamodule = build.make_datamodule(config)
    datamodule.setup()
    trainer = trainers.make_trainer(config["trainer"], folder=tmp_path, callbacks=[], logger=False)
    trainer.validate(module, dataloaders=datamodule.evaluation_loader("val"), verbose=False)
    assert module.val_scores == record.val


def test_a_training_that_diverged_fails_with_a_record_that_can_be_written(
    compact: Any, face_folder: Path, tmp_path: Path
) -> None:
    config = compact("loss=regression", "optimizer.lr=1e30", "trainer.max_epochs=1", f"data.root={face_folder}")
    begun = Record(status="running", name="x", choices={}, config=config, seed=0)
    with pytest.raises(FloatingPointError, match="diverged"):
        fit.train(parse(config), JobFolder(tmp_path / "job"), begun, lambda _: None)
    assert begun.val["age_mae_years"] != begun.val["age_mae_years"], "no number"
    write(tmp_path / "job", begun)


def test_a_best_score_moves_with_its_directory(tmp_path: Path) -> None:
    old, new = (
        checkpoints.FixedNameCheckpoint(tmp_path / name, "best", [], monitor="val/age_accuracy", mode="max")
        for name in ("old", "new")
    )
    assert old.state_key.startswith("ModelCheckpoint{")
    path = str(tmp_path / "old" / "best.ckpt")
    old.best_k_models = {path: torch.tensor(0.9)}
    old.best_model_path = path
    old.kth_best_model_path = path
    new.load_state_dict(old.state_dict())
    assert new.best_k_models == {str(tmp_path / "new" / "best.ckpt"): torch.tensor(0.9)}
    assert new.best_model_path == new.kth_best_model_path == str(tmp_path / "new" / "best.ckpt")


def test_a_job_does_not_go_on_with_another_number_of_devices(compact: Any, face_folder: Path, tmp_path: Path) -> None:
    keeper = checkpoints.Interruptible(tmp_path / "last.ckpt", None)
    keeper.load_state_dict({"loader": None, "world_size": 2})
    with pytest.raises(InputError, match=r"started on 2 devices in total.*there are 1 now; run it on 2 devices"):
        fitted(compact(), face_folder, keeper)


@pytest.mark.parametrize("experiment", ["fast", "best", "balanced"])
def test_a_recipe_trains_and_tests_both_tasks(
    composed: Any, experiment: str, face_folder: Path, tmp_path: Path
) -> None:
    config = composed(f"experiment={experiment}", "logger=none", "trainer=cpu", f"data.root={face_folder}")
    config["data"] |= {"cache_dir": str(tmp_path / "cache"), "image_size": 32, "batch_size": 16}
    config["trainer"] |= {"enable_progress_bar": False, "max_epochs": 1}
    config["augment"]["start_size"] = 16 if config["augment"]["start_size"] else None
    config["runs_dir"] = str(tmp_path / "runs")
    run(config, tmp_path / "job")
    written = (tmp_path / "job" / "predictions.csv").read_text().splitlines()
    assert len(written) == 1 + 19  # a fifth of 96 faces
