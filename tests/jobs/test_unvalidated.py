"""Tests of trainings that validate rarely or never: nothing old is shown as new, and the last epoch is kept."""

import logging
from pathlib import Path

import pytest
import torch
from tiny_training import Trains

from agegender.records import record


def trained(trains: Trains, folder: Path, *overrides: str) -> record.Record:
    _, entry = trains(folder, *overrides)
    assert entry is not None
    return entry


def best(folder: Path) -> dict:
    return torch.load(folder / "job/checkpoints/best.ckpt", weights_only=True)


def test_an_epoch_without_validation_shows_none_in_the_log_and_the_history(
    trains: Trains, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "agegender.jobs.fit")
    entry = trained(trains, tmp_path, "+trainer.check_val_every_n_epoch=2", "trainer.max_epochs=5")
    lines = [message for message in caplog.messages if message.startswith("epoch ")]
    assert ["val loss" in line for line in lines] == [False, True, False, True, False]
    assert [epoch["val_loss"] is not None for epoch in entry.history] == [False, True, False, True, False]
    assert entry.best_epoch in (2, 4)


@pytest.mark.parametrize(
    "overrides",
    [("trainer.limit_val_batches=0",), ("+trainer.check_val_every_n_epoch=3",), ("data.train_part=trainval",)],
    ids=lambda overrides: overrides[0],
)
def test_without_any_validation_the_last_epoch_is_tested(
    trains: Trains, tmp_path: Path, overrides: tuple[str, ...]
) -> None:
    entry = trained(trains, tmp_path, *overrides, "trainer.max_epochs=2")
    assert entry.best_epoch == 2 and entry.val == {} and best(tmp_path)["epoch"] == 1


@pytest.mark.parametrize("average", ["null", "0.9"])
def test_a_training_that_ends_before_its_first_validation_keeps_what_it_tests(
    trains: Trains, tmp_path: Path, average: str
) -> None:
    settings = ("+trainer.max_steps=1", "+trainer.num_sanity_val_steps=2", f"weight_averaging={average}")
    entry = trained(trains, tmp_path, *settings)
    assert entry.best_epoch == 1 and entry.val == {}  # not the scores of the sanity check, before the first step
    last = torch.load(tmp_path / "job/checkpoints/last.ckpt", weights_only=True)
    assert best(tmp_path)["global_step"] == last["global_step"] == 1
