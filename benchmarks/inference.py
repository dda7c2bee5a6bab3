"""Inference on this machine's CPU or GPU: single images and batches, PyTorch plain and compiled, and ONNX Runtime."""

import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from agegender.jobs import build
from agegender.jobs.export import INPUT, OUTPUTS, export, onnx_session
from agegender.system.cores import available_cores
from agegender.training.module import AgeGenderModule
from agegender.training.precision import choose_precision
from benchmarks.clock import synchronize
from benchmarks.measure import Row, compare
from benchmarks.subject import Settings, configuration

_CALLS = {1: 20, 64: 2}  # timed calls per repeat, by batch size

Predict = Callable[[np.ndarray], object]


def inference(settings: Settings, model: str, *, compiled: bool) -> list[Row]:
    """Compare runtimes for one network: milliseconds for a single image, images per second for a batch."""
    config = configuration(f"model={model}", f"data.image_size={settings.image_size}")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    module = build.make_module(config).eval().to(device)
    path = export(module, settings.folder / f"{model}.onnx", image_size=settings.image_size).path
    session = onnx_session(path, num_threads=len(available_cores()))
    precision = choose_precision("auto", "auto")
    runtimes: dict[str, Predict] = {
        "PyTorch, float32": partial(_predict, module, bfloat16=False),
        "ONNX Runtime, float32": lambda images: session.run(list(OUTPUTS), {INPUT: images}),
    }
    if precision == "bf16-mixed":
        runtimes["PyTorch, bfloat16"] = partial(_predict, module, bfloat16=True)
    if compiled:
        fast = build.make_module(config).eval().to(device)
        fast.network.compile()
        runtimes["PyTorch, float32, compiled"] = partial(_predict, fast, bfloat16=False)
    rows = []
    for batch_size, unit in ((1, "ms"), (64, "images/s")):
        images = np.random.default_rng(0).integers(
            0, 256, (batch_size, 3, settings.image_size, settings.image_size), dtype=np.uint8
        )
        rows += compare(
            f"inference, {model}, {settings.image_size} px, batch {batch_size}",
            {name: partial(_timed, predict, images, unit) for name, predict in runtimes.items()},
            unit=unit,
            base="PyTorch, float32",
            repeats=settings.repeats,
        )
    return rows


def _predict(module: AgeGenderModule, images: np.ndarray, *, bfloat16: bool) -> tuple[Tensor, ...]:
    device = module.device
    batch = torch.from_numpy(images).to(device).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
        outputs = module(batch)
        age = module.method.decode(outputs.age)
        return age.group, age.years, outputs.gender.softmax(dim=1)


def _timed(predict: Predict, images: np.ndarray, unit: str) -> float:
    num_calls = _CALLS[len(images)]
    synchronize()
    start = time.perf_counter()
    for _ in range(num_calls):
        predict(images)
    synchronize()
    seconds = time.perf_counter() - start
    return num_calls * len(images) / seconds if unit == "images/s" else 1000 * seconds / num_calls
