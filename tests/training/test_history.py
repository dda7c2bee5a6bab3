"""The curves that a job records: a real training of a single weight, whose losses are set by hand."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.utils.data import DataLoader

from agegender.training import trainers
from agegender.training.history import History

LOSSES = (4.0, 3.0, 2.5, 2.0)


class Scripted(lightning.LightningModule):
    """Logs the given loss in each epoch of two steps."""

    def __init__(self, losses: Sequence[float] = LOSSES) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self._losses = losses

    def training_step(self, batch: Tensor) -> Tensor:
        loss = self._losses[self.current_epoch]
        self.log("train/loss", loss, on_step=False, on_epoch=True, batch_size=1)
        return self.weight + 1.0

    def validation_step(self, batch: Tensor) -> None:
        loss = self._losses[self.current_epoch]
        values = {"val/loss": loss / 2, "val/age_accuracy": 1 / loss, "val/gender_accuracy": 0.5}
        self.log_dict(values, batch_size=1)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Killed(lightning.Callback):
    """Fails at a moment at which a process may be killed: after the history's entry, before the checkpoint."""

    def __init__(self, epoch: int) -> None:
        self._epoch = epoch

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if trainer.current_epoch + 1 == self._epoch:
            raise RuntimeError("killed")


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    trainers.quiet_libraries()
    yield


def fit(
    folder: Path,
    *callbacks: lightning.Callback,
    losses: Sequence[float] = LOSSES,
    resume: bool = False,
    **options: Any,
) -> list[dict[str, Any]]:
    """Train four epochs with a checkpoint after each, and return the history, also after a failure."""
    epochs: list[dict[str, Any]] = []
    checkpoint = ModelCheckpoint(folder, filename="last", save_on_train_epoch_end=True, enable_version_counter=False)
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_epochs=len(losses),
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        callbacks=[History(epochs), *callbacks, checkpoint],
        **options,
    )
    loader: DataLoader[Tensor] = DataLoader(torch.zeros(2, 1))  # pyright: ignore[reportArgumentType]
    path = folder / "last.ckpt" if resume else None
    try:
        trainer.fit(Scripted(losses), loader, loader, ckpt_path=path, weights_only=True)
    except RuntimeError as error:
        assert str(error) == "killed"
    return epochs


def without_seconds(epochs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in epoch.items() if key != "seconds"} for epoch in epochs]


BY_HAND = [
    {"epoch": 1, "train_loss": 4.0, "val_loss": 2.0, "val_age_accuracy": 0.25, "val_gender_accuracy": 0.5},
    {
        "epoch": 2,
        "train_loss": 3.0,
        "val_loss": 1.5,
        "val_age_accuracy": pytest.approx(1 / 3),
        "val_gender_accuracy": 0.5,
    },
    {
        "epoch": 3,
        "train_loss": 2.5,
        "val_loss": 1.25,
        "val_age_accuracy": pytest.approx(0.4),
        "val_gender_accuracy": 0.5,
    },
    {"epoch": 4, "train_loss": 2.0, "val_loss": 1.0, "val_age_accuracy": 0.5, "val_gender_accuracy": 0.5},
]


def test_every_epoch_has_its_losses_and_accuracies_and_seconds_that_grow(tmp_path: Path) -> None:
    epochs = fit(tmp_path)
    assert without_seconds(epochs) == BY_HAND
    seconds = [epoch["seconds"] for epoch in epochs]
    assert seconds == sorted(seconds) and 0 < seconds[0] < 60


def test_a_failure_leaves_the_epochs_before_it(tmp_path: Path) -> None:
    assert without_seconds(fit(tmp_path, Killed(3)))[:2] == BY_HAND[:2]


def test_a_resumed_job_keeps_the_epochs_before_and_has_none_twice(tmp_path: Path) -> None:
    before = fit(tmp_path, Killed(3))  # the third epoch is in the history, but in no checkpoint
    after = fit(tmp_path, resume=True)
    assert without_seconds(after) == BY_HAND
    assert after[:2] == before[:2]
    assert after[2]["seconds"] > before[1]["seconds"]


def test_a_job_killed_after_its_last_epoch_has_all_of_them_when_it_is_resumed(tmp_path: Path) -> None:
    before = fit(tmp_path)
    assert fit(tmp_path, resume=True) == before


def test_a_value_that_is_no_number_is_recorded_as_none(tmp_path: Path) -> None:
    epochs = fit(tmp_path, losses=(1.0, math.nan, math.inf))
    assert [epoch["train_loss"] for epoch in epochs] == [1.0, None, None]
    assert [epoch["val_loss"] for epoch in epochs] == [0.5, None, None]


def test_an_epoch_without_validation_has_not_the_values_of_the_one_before(tmp_path: Path) -> None:
    epochs = fit(tmp_path, check_val_every_n_epoch=2)
    assert [epoch["val_loss"] for epoch in epochs] == [None, 1.5, None, 1.0]
    assert [epoch["train_loss"] for epoch in epochs] == list(LOSSES)
