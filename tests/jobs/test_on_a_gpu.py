"""What jobs do for a GPU, as far as a machine without one can show it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from composing import compose_config
from paths import CONF
from tiny_training import Trains
from torch import nn

from agegender.data.datamodule import UTKFaceDataModule
from agegender.jobs import build, fit, predict, run
from agegender.jobs.schema import Config
from agegender.jobs.stop_flag import stop_flag

OPTIMIZERS = sorted(path.stem for path in (CONF / "optimizer").glob("*.yaml"))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_clips_gradients_in_mixed_precision(optimizer: str, trains: Trains, tmp_path: Path) -> None:
    overrides = (f"optimizer={optimizer}", "trainer.precision=bf16-mixed", "trainer.gradient_clip_val=0.5")
    status, _ = trains(tmp_path, *overrides)
    assert status == "complete"


def compilations(monkeypatch: pytest.MonkeyPatch, trains: Trains, folder: Path, num_jobs: int) -> list[int]:
    """Return how many graphs each of several jobs in one process compiled, if PyTorch gives up after the second."""
    graphs: list[object] = []
    compile_module = nn.Module.compile

    def count(graph: Any, inputs: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(nn.Module, "compile", lambda module: compile_module(module, backend=count))
    numbers = []
    with torch._dynamo.config.patch(recompile_limit=2):  # pyright: ignore
        for number in range(num_jobs):
            before = len(graphs)
            status, _ = trains(folder / str(number), "model.compile=true", "data.batch_size=17")  # batches of one size
            assert status == "complete"
            numbers.append(len(graphs) - before)
    torch.compiler.reset()
    return numbers


def test_every_job_of_a_process_compiles_its_network(
    monkeypatch: pytest.MonkeyPatch, trains: Trains, tmp_path: Path
) -> None:
    numbers = compilations(monkeypatch, trains, tmp_path, 4)
    assert numbers == numbers[:1] * 4 and numbers[0] > 0


def test_without_a_reset_the_last_jobs_of_a_process_would_not_be_compiled(
    monkeypatch: pytest.MonkeyPatch, trains: Trains, tmp_path: Path
) -> None:
    monkeypatch.setattr(torch.compiler, "reset", lambda: None)
    numbers = compilations(monkeypatch, trains, tmp_path, 4)
    assert numbers[-1] < numbers[0]


def test_networks_are_trained_at_several_sizes_without_the_autotuner(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(fit.trainers, "make_trainer", lambda arguments, **_: given.update(arguments))
    tracker: Any = SimpleNamespace(loggers=[])
    for overrides, expected in (((), None), (("augment=standard", "augment.start_size=96"), False)):
        given.clear()
        config: Config = run.resolve(compose_config("trainer=gpu", *overrides))
        fit._make_trainer(config, fit.JobFolder(tmp_path), [], tracker)
        assert given.get("benchmark") is expected


@pytest.mark.parametrize(("is_available", "expected"), [(True, "cuda"), (False, "cpu")])
def test_predictions_are_made_on_the_gpu_where_there_is_one(
    is_available: bool, expected: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    moved = []
    module = SimpleNamespace(to=lambda device: moved.append(device.type))
    trained = SimpleNamespace(module=module, groups=SimpleNamespace(names=("0-2",)), image_size=64)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: is_available)
    monkeypatch.setattr(build, "load_trained", lambda path: trained)
    predict.Predictor(tmp_path / "best.ckpt")
    assert moved == [expected]


def test_a_broken_gpu_stops_the_sweep_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, trains: Trains, tmp_path: Path
) -> None:
    def fail(job: run.Job) -> str:
        raise RuntimeError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(run.Job, "run", fail)
    monkeypatch.setattr(run, "broken_gpu", lambda: "this process can no longer use the GPU")
    monkeypatch.setattr(stop_flag, "reason", None)
    config = compose_config("trainer=cpu", "logger=none", f"runs_dir={tmp_path}")
    outcome = run._attempt(config, tmp_path / "job", multirun=False)
    assert outcome.status == "failed" and "device-side assert" in str(outcome.reason)
    assert stop_flag.reason == "this process can no longer use the GPU"


def test_a_full_gpu_fails_the_job_with_a_way_out_and_the_sweep_continues(
    monkeypatch: pytest.MonkeyPatch, trains: Trains, tmp_path: Path
) -> None:
    def fail(job: run.Job) -> str:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of")

    monkeypatch.setattr(run.Job, "run", fail)
    monkeypatch.setattr(stop_flag, "reason", None)
    config = compose_config("trainer=cpu", "logger=none", f"runs_dir={tmp_path}")
    outcome = run._attempt(config, tmp_path / "job", multirun=False)
    assert outcome.status == "failed" and "data.resident=false" in str(outcome.reason)
    assert stop_flag.reason is None


def test_a_record_says_how_many_bytes_of_images_stayed_on_the_device(trains: Trains, tmp_path: Path) -> None:
    sizes = {}
    for resident in ("true", "false"):
        _, record = trains(tmp_path / resident, f"data.resident={resident}")
        assert record is not None
        sizes[resident] = record.time["resident_bytes"]
    assert sizes == {"true": 96 * 8 * 8 * 3, "false": 0}


@pytest.mark.parametrize(("device", "is_pinned"), [("cpu", False), (None, False), ("cuda", True)])
def test_workers_pin_memory_for_a_gpu_alone(device: str | None, is_pinned: bool, face_folder: Path) -> None:
    data = UTKFaceDataModule(face_folder, image_size=8, cache=False, num_workers=1)
    data.setup()
    loader = data._in_order(data.dataset("test"), None if device is None else torch.device(device))
    assert loader.pin_memory is is_pinned  # pyright: ignore
