"""Tests of resume=extend: a complete run is trained further, or says why it cannot be."""

import json
from pathlib import Path

import pytest
import torch
from tiny_training import Trains

from agegender.records import record
from agegender.system.errors import InputError


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "job/checkpoints/last.ckpt", weights_only=True)["state_dict"]


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_an_extended_run_is_bit_for_bit_one_of_more_epochs(
    trains: Trains,
    tmp_path: Path,
    optimizer: str,
) -> None:
    settings = (f"optimizer={optimizer}", "augment=standard", "weight_averaging=0.9")
    _, whole = trains(tmp_path / "whole", *settings, "trainer.max_epochs=3")
    trains(tmp_path / "extended", *settings, "trainer.max_epochs=1")
    status, extended = trains(tmp_path / "extended", *settings, "trainer.max_epochs=3", "resume=extend")
    assert status == "complete" and whole is not None and extended is not None
    assert (extended.test, extended.val, extended.best_epoch) == (whole.test, whole.val, whole.best_epoch)
    assert [epoch["train_loss"] for epoch in extended.history] == [epoch["train_loss"] for epoch in whole.history]
    assert extended.config["trainer"]["max_epochs"] == 3
    first = weights(tmp_path / "whole")
    second = weights(tmp_path / "extended")
    assert all(torch.equal(first[key], second[key]) for key in first)
    again, _ = trains(tmp_path / "extended", *settings, "trainer.max_epochs=3", "resume=extend")
    assert again == "skipped"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (("keep_optimizer=false",), "without the optimizer's state"),
        (("schedule=one_cycle",), r"learning rates had followed a schedule"),
        (("augment.start_size=4",), "its images had grown"),
        (("optimizer.lr=0.5",), r"another configuration \(optimizer.lr=0.5, now 0.0001"),
    ],
)
def test_a_run_that_cannot_be_trained_further_says_why_and_stays_complete(
    trains: Trains,
    tmp_path: Path,
    settings: tuple[str, ...],
    told: str,
) -> None:
    trains(tmp_path, *settings, "trainer.max_epochs=1")
    kept = settings if "lr" not in settings[0] else ()
    with pytest.raises(InputError, match=told):
        trains(tmp_path, *kept, "trainer.max_epochs=2", "resume=extend")
    entry = record.read(tmp_path / "job")
    assert entry is not None and entry.status == "complete" and entry.config["trainer"]["max_epochs"] == 1


def test_without_extend_the_line_names_it(trains: Trains, tmp_path: Path) -> None:
    trains(tmp_path, "trainer.max_epochs=1")
    with pytest.raises(InputError, match=r"trainer.max_epochs=1, now 2.*resume=extend to train it further"):
        trains(tmp_path, "trainer.max_epochs=2")


def test_an_extension_that_cannot_begin_leaves_the_complete_run_as_it_was(trains: Trains, tmp_path: Path) -> None:
    trains(tmp_path, "trainer.max_epochs=1")
    before = (tmp_path / "job/record.json").read_bytes()
    with pytest.raises(InputError):  # the same data by its name, but there is none
        trains(tmp_path, "trainer.max_epochs=2", "resume=extend", f"data.root={tmp_path}/typo/{faces_name(before)}")
    assert (tmp_path / "job/record.json").read_bytes() == before
    assert trains(tmp_path, "trainer.max_epochs=1")[0] == "skipped"


def faces_name(content: bytes) -> str:
    return Path(json.loads(content)["config"]["data"]["root"]).name
