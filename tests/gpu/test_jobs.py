"""Whole jobs on the GPU, in this process: speed, resume, memory, the cache, compilation, averaging, precision, use."""

import gc
from pathlib import Path
from typing import Any

import composing
import lightning
import numpy as np
import pytest
import torch
from gpu_checks import differences_after_a_stop, rate_ratio, weights_of
from tiny_training import Trains

from agegender.jobs import callbacks
from agegender.jobs.evaluate import evaluate
from agegender.jobs.export import export_checkpoint
from agegender.jobs.predict import Predictor
from agegender.records import predictions
from agegender.records.record import Record, read
from agegender.training.checkpoints import MovingAverage

pytestmark = pytest.mark.gpu

GPU = ("trainer.accelerator=gpu", "trainer.deterministic=false")
EXACT = ("trainer.accelerator=gpu", "trainer.deterministic=true")
# A job that a limit of 512 MiB is too small for: its first activations take as much.
LARGE = ("model=resnet18", "data.image_size=256", "data.batch_size=64")
OPTIMIZERS = ("adam", "adamw", "sgd", "muon")


def complete(outcome: tuple[str, Record | None]) -> Record:
    status, record = outcome
    assert status == "complete" and record is not None
    assert record.environment["accelerator"] == "cuda"
    return record


def test_images_per_second_are_those_of_the_gpus_own_clock(device: torch.device, tmp_path: Path) -> None:
    assert rate_ratio(tmp_path, 300, "trainer=gpu") == pytest.approx(1, rel=0.02)


@pytest.mark.parametrize("averaging", ["null", "0.9"])
@pytest.mark.parametrize("resident", ["true", "false"])
def test_a_job_that_is_stopped_within_an_epoch_resumes_to_the_same_weights(
    resident: str, averaging: str, device: torch.device, trains: Trains, tmp_path: Path
) -> None:
    settings = (*EXACT, f"data.resident={resident}", f"weight_averaging={averaging}")
    assert differences_after_a_stop(trains, tmp_path, *settings) == []
    record = read(tmp_path / "stopped/job")
    assert record is not None and record.environment["accelerator"] == "cuda"


def test_after_a_job_without_enough_memory_the_next_one_runs(
    device: torch.device, trains: Trains, tmp_path: Path
) -> None:
    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(2**29 / total, device)
    try:
        outcome = trains.attempt(tmp_path / "large", *GPU, *LARGE, network=())
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)
    assert outcome.status == "failed"
    assert "out of memory" in str(outcome.reason) and "data.resident=false" in str(outcome.reason)
    gc.collect()
    assert torch.cuda.memory_allocated() < 2**26, "the failed job's tensors are still there"
    complete(trains(tmp_path / "small", *GPU))


def test_jobs_build_their_caches_and_load_by_workers_after_the_gpu_is_in_use(
    device: torch.device, trains: Trains, tmp_path: Path
) -> None:
    torch.zeros(1, device=device)
    for size in (9, 10):  # a cache of its own each, which forked processes fill
        cache = f"data.cache_dir={tmp_path / 'cache'}"
        complete(trains(tmp_path / str(size), *GPU, f"data.image_size={size}", cache))
    complete(trains(tmp_path / "workers", *GPU, "data.cache=false", "data.num_workers=2"))


def test_every_job_of_a_process_is_compiled(device: torch.device, trains: Trains, tmp_path: Path) -> None:
    from torch._dynamo.utils import counters

    for number in range(4):
        counters.clear()
        complete(trains(tmp_path / str(number), *GPU, "model.compile=true", "data.batch_size=17"))
        assert counters["frames"]["ok"] > 0, f"job {number} was not compiled"


def test_the_average_is_on_the_gpu_and_is_the_average(
    device: torch.device, trains: Trains, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Tensor] = []
    devices: list[str] = []

    class Weights(lightning.Callback):
        def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
            seen.append(pl_module.network.heads.gender.weight.detach().clone())
            (average,) = (one for one in trainer.callbacks if isinstance(one, MovingAverage))
            model = average._average_model
            assert model is not None
            devices.extend(value.device.type for value in (*model.module.parameters(), *model.module.buffers()))

    make_average = callbacks.averaging
    monkeypatch.setattr(callbacks, "averaging", lambda config: [*make_average(config), Weights()])
    complete(trains(tmp_path, *GPU, "weight_averaging=0.7", "data.batch_size=8", "trainer.precision=32-true"))
    assert set(devices) == {"cuda"}
    average = seen[0]
    for weight in seen[1:]:
        average = 0.7 * average + 0.3 * weight
    found = weights_of(tmp_path / "job/checkpoints/last.ckpt")["network.heads.gender.weight"]
    torch.testing.assert_close(found, average.cpu())


@pytest.mark.parametrize("precision", ["16-mixed", "bf16-mixed", "32-true"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_trains_and_clips_in_every_precision(
    precision: str, optimizer: str, device: torch.device, trains: Trains, tmp_path: Path
) -> None:
    clipped = (f"trainer.precision={precision}", f"optimizer={optimizer}", "trainer.gradient_clip_val=0.5")
    record = complete(trains(tmp_path, *GPU, *clipped))
    assert all(np.isfinite(epoch["train_loss"]) for epoch in record.history)


@pytest.fixture(scope="module")
def trained(trains: Trains, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train on the GPU, in float32, and return the checkpoint."""
    folder = tmp_path_factory.mktemp("trained")
    network = ("model=resnet18", "data.image_size=32")
    complete(trains(folder, *GPU, "trainer.precision=32-true", "trainer.max_epochs=2", network=network))
    return folder / "job/checkpoints/best.ckpt"


def test_an_evaluation_on_the_gpu_is_that_of_the_cpu(device: torch.device, trained: Path, tmp_path: Path) -> None:
    groups = None
    found = {}
    for accelerator in ("gpu", "cpu"):
        folder = tmp_path / accelerator
        given = (f"ckpt_path={trained}", f"output_dir={folder}", f"trainer.accelerator={accelerator}", "logger=none")
        record = evaluate(composing.composed(*given, name="eval"))
        assert record.environment["accelerator"] == {"gpu": "cuda", "cpu": "cpu"}[accelerator]
        groups = record.data["age_groups"]["names"]
        found[accelerator] = predictions.read(folder / "predictions.csv", groups=groups)
    assert list(found["gpu"].images) == list(found["cpu"].images)
    np.testing.assert_allclose(found["gpu"].p_group, found["cpu"].p_group, atol=5e-3)  # TensorFloat-32
    np.testing.assert_allclose(found["gpu"].p_gender, found["cpu"].p_gender, atol=5e-3)


def test_predictions_of_the_gpu_are_those_of_the_cpu(
    device: torch.device, trained: Path, face_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_gpu = Predictor(trained)
    assert on_gpu._device.type == "cuda"
    found = on_gpu.predict(face_folder)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    expected = Predictor(trained).predict(face_folder)
    assert len(found) == len(expected) == 96
    for one, other in zip(found, expected, strict=True):
        assert one.years == pytest.approx(other.years, abs=0.5)
        assert one.gender_probability == pytest.approx(other.gender_probability, abs=5e-3)


def test_a_checkpoint_of_the_gpu_is_exported_to_what_the_cpu_computes(
    device: torch.device, trained: Path, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime")
    assert export_checkpoint(trained, tmp_path / "best.onnx").difference < 1e-4
