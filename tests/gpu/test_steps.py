"""Training steps on the GPU: none waits for it, and the numbers are those of the CPU."""

import copy
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from gpu_checks import Repeated, exact_float32, fit, gradients, make_module, noise_batch, relative_difference
from paths import CONF
from tiny_training import Trains

from agegender.jobs import callbacks

pytestmark = pytest.mark.gpu

MODELS = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))
LOSSES = sorted(path.stem for path in (CONF / "loss").glob("*.yaml"))
GPU = ("trainer=gpu",)


class NoWaiting(lightning.Callback):
    """Makes an operation that waits for the GPU an error, from one step of the epoch to another."""

    def __init__(self, first: int = 5, last: int = 40) -> None:
        self._first = first
        self._last = last
        self.num_watched = 0

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx == self._first:
            torch.cuda.set_sync_debug_mode("error")

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.num_watched += torch.cuda.get_sync_debug_mode() == 2
        if batch_idx == self._last or trainer.is_last_batch:
            torch.cuda.set_sync_debug_mode("default")

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        torch.cuda.set_sync_debug_mode("default")


def watch(device: torch.device, folder: Path, *overrides: str) -> None:
    module, config = make_module(*GPU, "trainer.max_epochs=1", *overrides, image_size=256)
    watcher = NoWaiting()
    fit(module, config, Repeated(noise_batch(4, 256, device), 42), folder, watcher)
    assert watcher.num_watched == 36


@pytest.mark.parametrize("model", MODELS)
def test_no_network_waits_in_a_step(model: str, device: torch.device, tmp_path: Path) -> None:
    watch(device, tmp_path, f"model={model}")


@pytest.mark.parametrize("loss", LOSSES)
def test_no_method_waits_in_a_step(loss: str, device: torch.device, tmp_path: Path) -> None:
    watch(device, tmp_path, "model=compact_small", f"loss={loss}")


@pytest.mark.parametrize(
    "overrides",
    [
        ("augment=flip",),
        ("augment=standard",),
        ("augment=strong",),
        ("augment.mixup=0.2",),
        ("trainer.gradient_clip_val=1.0",),
        ("trainer.accumulate_grad_batches=2",),
        ("schedule=one_cycle",),
        ("optimizer=adamw",),
        ("optimizer=sgd",),
        ("optimizer=muon",),
        ("trainer.precision=32-true",),
    ],
    ids=lambda overrides: overrides[0],
)
def test_no_option_waits_in_a_step(overrides: tuple[str, ...], device: torch.device, tmp_path: Path) -> None:
    watch(device, tmp_path, "model=compact_small", *overrides)


@pytest.mark.parametrize("resident", ["true", "false"])
@pytest.mark.parametrize("averaging", ["null", "0.9"])
def test_no_callback_of_a_job_waits_in_a_step(
    resident: str,
    averaging: str,
    device: torch.device,
    trains: Trains,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_average = callbacks.averaging
    watcher = NoWaiting(first=5, last=25)
    monkeypatch.setattr(callbacks, "averaging", lambda config: [*make_average(config), watcher])
    on_gpu = ("trainer.accelerator=gpu", "trainer.deterministic=false", f"data.resident={resident}")
    small = ("data.batch_size=2", f"weight_averaging={averaging}", "trainer.enable_progress_bar=true")
    status, record = trains(tmp_path, *on_gpu, *small)
    assert status == "complete" and watcher.num_watched == 21
    assert record is not None and record.environment["accelerator"] == "cuda"
    assert (record.time["resident_bytes"] > 0) == (resident == "true")


def test_a_step_that_waits_is_found(device: torch.device, tmp_path: Path) -> None:
    class Waits(lightning.Callback):
        def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
            outputs["loss"].item()

    module, config = make_module(*GPU, "trainer.max_epochs=1", "model=compact_small", image_size=64)
    batches = Repeated(noise_batch(4, 64, device), 42)
    with pytest.raises(RuntimeError, match="synchronizing CUDA operation"):
        fit(module, config, batches, tmp_path, NoWaiting(), Waits())


def check_gradients(device: torch.device, *overrides: str) -> None:
    """Compare a step's gradients with the CPU's, in float64 and in float32.

    In float32 two correct libraries may differ by much: on the CPU alone, float32 differs from float64 by 2e-3 for
    resnet18 and by 1e-2 for densenet161, whose batch normalizations of few images amplify roundings. So the float64
    comparison is the strict one, and float32 may be as far from it as the CPU's float32 is, up to a factor for
    algorithms such as Winograd's.
    """
    module, _ = make_module(*overrides, "model.dropout=0", image_size=128)
    state = copy.deepcopy(module.state_dict())  # batch normalization counts batches
    cpu_batch = noise_batch(4, 128, torch.device("cpu"))
    batch = noise_batch(4, 128, device)
    on_cpu = gradients(module, cpu_batch)
    exact = gradients(module.double(), cpu_batch)
    with exact_float32():
        found_exact = gradients(module.to(device), batch)
        module.float().load_state_dict(state)
        found = gradients(module, batch)
    exact_difference = relative_difference(found_exact, exact)
    difference = relative_difference(found, exact)
    cpus = relative_difference(on_cpu, exact)
    print(f"{overrides}: float64 {exact_difference:.1e}; float32 {difference:.1e}, on the CPU {cpus:.1e}")
    assert exact_difference < 1e-6
    assert difference < max(1e-4, 20 * cpus)


@pytest.mark.parametrize("model", MODELS)
def test_gradients_of_every_network_are_those_of_the_cpu(model: str, device: torch.device) -> None:
    check_gradients(device, f"model={model}")


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_of_every_method_are_those_of_the_cpu(loss: str, device: torch.device) -> None:
    check_gradients(device, "model=compact_small", f"loss={loss}")


@pytest.mark.parametrize("model", MODELS)
def test_the_loss_in_bfloat16_is_that_of_float32(model: str, device: torch.device) -> None:
    module, _ = make_module(f"model={model}", "model.dropout=0", image_size=128)
    module.to(device).train()
    batch = noise_batch(8, 128, device)
    with torch.no_grad(), exact_float32():
        expected = float(module.training_step(batch))
        with torch.autocast("cuda", torch.bfloat16):
            found = float(module.training_step(batch))
    assert found == pytest.approx(expected, rel=2e-2)
