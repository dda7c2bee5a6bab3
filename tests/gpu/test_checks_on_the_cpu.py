"""The checks of a GPU find the faults that they look for: shown on the CPU, with each fault put in.

Where a check needs the GPU itself, its stand-in is elsewhere: no waiting in a step `tests/training/test_no_waiting.py`,
averages `tests/training/test_averaging.py`, compilation, memory and a broken device `tests/jobs/test_on_a_gpu.py`, the
launcher `tests/sweeps/launch/test_gpus.py` and `test_local.py`.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from gpu_checks import (
    checksums,
    differences_after_a_stop,
    face_loader,
    gradients,
    make_module,
    noise_batch,
    rate_ratio,
    relative_difference,
)
from tiny_training import Trains
from torch import Tensor

from agegender.data.loading import BatchLoader
from agegender.jobs.predict import Predictor
from agegender.training import module as module_file
from agegender.training import timing

CPU = torch.device("cpu")


def test_streamed_and_resident_batches_are_equal_and_a_wrong_order_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = checksums(face_loader(100, 16, CPU, resident=False), CPU)
    assert torch.equal(checksums(face_loader(100, 16, CPU, resident=True), CPU), expected)
    load = BatchLoader._load

    def mix_up(self: BatchLoader, index: Tensor) -> Any:
        batch, copied = load(self, index)
        batch["images"][0, 0, 0, 0] ^= 1  # one bit of one pixel of a batch
        return batch, copied

    monkeypatch.setattr(BatchLoader, "_load", mix_up)
    assert not torch.equal(checksums(face_loader(100, 16, CPU, resident=False), CPU), expected)


def test_gradients_of_another_memory_format_are_equal_and_a_rounded_mean_is_found() -> None:
    module, _ = make_module("model=compact_small", "model.dropout=0")
    module.double()
    batch = noise_batch(4, 64, CPU)
    expected = gradients(module, batch)
    module.network.to(memory_format=torch.contiguous_format)
    assert relative_difference(gradients(module, batch), expected) < 1e-6
    module.normalizer.mean.copy_(module.normalizer.mean.bfloat16())
    assert relative_difference(gradients(module, batch), expected) > 1e-6


@pytest.mark.parametrize("loss", ["plain", "weighted", "ldl", "corn"])
def test_another_methods_gradients_are_found(loss: str) -> None:
    module, _ = make_module("model=compact_small", "model.dropout=0", f"loss={loss}")
    module.double()
    batch = noise_batch(4, 64, CPU)
    expected = gradients(module, batch)
    assert relative_difference(gradients(module, batch), expected) == 0
    batch["years"][0] = 1 - batch["years"][0].clamp(max=1)
    batch["group"][0] = (batch["group"][0] + 1) % 8
    assert relative_difference(gradients(module, batch), expected) > 1e-6


def test_the_recorded_rate_is_the_clocks_and_an_image_counted_twice_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rate_ratio(tmp_path, 10, "trainer=cpu") == pytest.approx(1, rel=0.02)
    count = timing.FitTimer.on_train_batch_end

    def twice(self: timing.FitTimer, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        count(self, trainer, pl_module, outputs, {"group": torch.cat([batch["group"]] * 2)}, batch_idx)

    monkeypatch.setattr(timing.FitTimer, "on_train_batch_end", twice)
    assert rate_ratio(tmp_path, 10, "trainer=cpu") == pytest.approx(2, rel=0.1)


def test_a_stopped_job_ends_with_equal_weights(trains: Trains, tmp_path: Path) -> None:
    assert differences_after_a_stop(trains, tmp_path, "weight_averaging=0.9") == []


def test_a_stopped_job_that_draws_other_numbers_is_found(
    trains: Trains, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module_file, "_seed_generators", lambda seed, device: None)
    assert "last: network.heads.age.weight" in differences_after_a_stop(trains, tmp_path)


def test_a_stopped_job_that_repeats_its_epochs_images_is_found(
    trains: Trains, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BatchLoader, "load_state_dict", lambda self, state: None)
    assert "last: network.heads.age.weight" in differences_after_a_stop(trains, tmp_path)


def test_predictions_of_wrongly_normalized_images_are_found(trains: Trains, tmp_path: Path, face_folder: Path) -> None:
    assert trains(tmp_path, "trainer.max_epochs=2", "optimizer.lr=0.01")[0] == "complete"
    checkpoint = tmp_path / "job/checkpoints/best.ckpt"
    expected = [face.gender_probability for face in Predictor(checkpoint).predict(face_folder)]
    assert [face.gender_probability for face in Predictor(checkpoint).predict(face_folder)] == expected
    wrong = Predictor(checkpoint)
    wrong._module.normalizer.mean.zero_()
    found = [face.gender_probability for face in wrong.predict(face_folder)]
    assert max(abs(one - other) for one, other in zip(found, expected, strict=True)) > 5e-3
