"""One training step, and the gain by each optimization: memory format, bfloat16, fused optimizer, compilation."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from agegender.training import trainers
from agegender.training.precision import choose_precision, is_mixed
from benchmarks.clock import synchronize
from benchmarks.fit import build_job, steps_per_second
from benchmarks.measure import Row, compare
from benchmarks.subject import Settings, faces, job

_SIDE = 2048  # of the matrices
_SIDE_ON_GPU = 8192  # smaller ones do not fill it
_NUM_PRODUCTS = 8  # per repeat
_NUM_PRODUCTS_ON_GPU = 200  # a third of a second on an H100; eight small ones were over in 0.2 ms


def parts(settings: Settings, model: str, *, compiled: bool) -> list[Row]:
    """Compare the training step of one network as one optimization after the other is added."""
    config = job(settings, model, faces(settings, settings.num_images))
    trainer = trainers.make_trainer(config["trainer"], folder=settings.folder, callbacks=[], logger=False)
    device = trainer.strategy.root_device
    torch.use_deterministic_algorithms(False)
    current = {"memory_format": torch.contiguous_format, "bfloat16": False, "fused": False, "compiled": False}
    variants = {"float32, NCHW": current}
    current = {**current, "memory_format": torch.channels_last}
    variants["+ channels last"] = current
    if is_mixed(trainer.precision):  # emulated bfloat16 takes 10 to 30 times as long as float32
        current = {**current, "bfloat16": True}
        variants["+ bfloat16"] = current
    current = {**current, "fused": True}
    variants["+ fused Adam"] = current
    if compiled:
        variants["+ torch.compile"] = {**current, "compiled": True}
    steps = {name: _step(config, device, **options) for name, options in variants.items()}
    return compare(
        f"step, {model}, {settings.image_size} px, batch {settings.batch_size}",
        {name: partial(_rate, step, settings) for name, step in steps.items()},
        unit="images/s",
        base="float32, NCHW",
        repeats=settings.repeats,
        warmup=1,
    )


def peak(settings: Settings) -> list[Row]:
    """Measure the speed of large matrix products in GFLOP/s, an upper bound for every training step."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kinds = {"float32": torch.float32}
    if is_mixed(choose_precision("auto", "auto")):
        kinds["bfloat16"] = torch.bfloat16
    on_gpu = device.type == "cuda"
    side = _SIDE_ON_GPU if on_gpu else _SIDE
    number = _NUM_PRODUCTS_ON_GPU if on_gpu else _NUM_PRODUCTS
    matrix = torch.randn(side, side, device=device)
    return compare(
        f"product of {side} x {side} matrices",
        {name: partial(_product, matrix.to(kind), number) for name, kind in kinds.items()},
        unit="GFLOP/s",
        base="float32",
        repeats=settings.repeats,
    )


def _product(matrix: Tensor, number: int) -> float:
    synchronize()
    start = time.perf_counter()
    for _ in range(number):
        torch.mm(matrix, matrix)
    synchronize()
    return number * 2 * len(matrix) ** 3 / 1e9 / (time.perf_counter() - start)


def _step(
    config: dict[str, Any],
    device: torch.device,
    *,
    memory_format: torch.memory_format,
    bfloat16: bool,
    fused: bool,
    compiled: bool,
) -> Callable[[], None]:
    module, datamodule = build_job(config)
    batch = {key: value.to(device) for key, value in next(iter(datamodule.train_dataloader())).items()}
    module = module.to(device).train()
    module.network.to(memory_format=memory_format)
    batch["images"] = batch["images"].contiguous(memory_format=memory_format)
    optimizer = torch.optim.Adam(module.network.parameters(), lr=1e-4, fused=fused)
    if compiled:
        module.network.compile()

    def compute_loss() -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            outputs = module(batch["images"])
            age_loss = module.method(outputs.age, batch["group"], batch["years"])
            return age_loss + functional.cross_entropy(outputs.gender, batch["gender"])

    def step() -> None:
        optimizer.zero_grad()
        compute_loss().backward()
        optimizer.step()

    return step


def _rate(step: Callable[[], None], settings: Settings) -> float:
    return settings.batch_size * steps_per_second(step, settings.steps)
