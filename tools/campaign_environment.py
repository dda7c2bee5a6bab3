"""What a machine is, and whether the project can run there: python campaign_environment.py gpu|cpu CHECKOUT.

Prints one JSON object: versions, device, driver, the rates of a matrix product and of a copy, and what is wrong.
"""

import importlib
import json
import os
import pkgutil
import platform
import subprocess
import sys
import time
import tomllib
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

_NOT_NEEDED = ("wandb",)  # logger=none
_GIVEN = ("torch", "torchvision")  # with libraries of CUDA that the machine may have by other ways
_EXTRAS = (
    "optuna",
    "submitit",
    "timm",
    "pillow_heif",
    "wandb_workspaces",
    "onnx",
    "onnxscript",
    "onnxruntime",
    "wandb",
)
_SIDES = {"cuda": 8192, "cpu": 512}  # of the matrices
_COPY_BYTES = {"cuda": 4_000_000_000, "cpu": 64_000_000}
_REPEATS = 10


def main(arguments: list[str]) -> int:
    """Print the JSON object and return 1 where the project cannot run, or there is no GPU that was asked for."""
    device, checkout = arguments[0], Path(arguments[1])
    project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    problems = unmet(project["dependencies"]) + _failed_imports()
    found: dict[str, Any] = {"python": platform.python_version(), "platform": platform.platform()}
    found["doubts"] = _unmet_in_turn(project["dependencies"])
    found["cores"] = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    import torch

    found |= {"torch": torch.__version__, "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}
    kind = "cuda" if device == "gpu" else "cpu"
    if kind == "cuda" and not torch.cuda.is_available():
        problems.append("PyTorch sees no GPU")
    else:
        found |= _gpu(torch) if kind == "cuda" else {}
        found |= _rates(torch, kind)
    print(json.dumps({**found, "problems": problems}, indent=1))
    return 1 if problems else 0


def _gpu(torch: Any) -> dict[str, Any]:
    device = torch.cuda.get_device_properties(0)
    try:
        command = ["nvidia-smi", "--query-gpu=driver_version,clocks.max.sm,mig.mode.current", "--format=csv,noheader"]
        driver = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()
    except (OSError, subprocess.SubprocessError) as error:
        driver = f"not known: {error}"
    return {"gpu": device.name, "num_gpus": torch.cuda.device_count(), "gpu_gb": device.total_memory / 1e9} | {
        "driver, MHz, MIG": driver
    }


def _rates(torch: Any, kind: str) -> dict[str, float]:
    side = _SIDES[kind]
    matrix = torch.randn(side, side, device=kind, dtype=torch.bfloat16)
    source = torch.empty(_COPY_BYTES[kind], dtype=torch.uint8, device=kind)
    target = torch.empty_like(source)
    wait = torch.cuda.synchronize if kind == "cuda" else lambda: None
    return {
        f"bfloat16 product of {side}, TFLOP/s": 2 * side**3 / 1e12 / _seconds(lambda: matrix @ matrix, wait),
        "copy, GB/s read and written": 2 * len(source) / 1e9 / _seconds(lambda: target.copy_(source), wait),
    }


def _seconds(work: Callable[[], Any], wait: Callable[[], None]) -> float:
    for _ in range(3):
        work()
    wait()
    start = time.perf_counter()
    for _ in range(_REPEATS):
        work()
    wait()
    return (time.perf_counter() - start) / _REPEATS


def unmet(requirements: Iterable[str]) -> list[str]:
    """List the requirements that the installed packages do not meet."""
    from packaging.requirements import Requirement

    failed = []
    for wanted in map(Requirement, requirements):
        if wanted.name in _NOT_NEEDED or (wanted.marker is not None and not wanted.marker.evaluate({"extra": ""})):
            continue
        try:
            found = version(wanted.name)
        except PackageNotFoundError:
            failed.append(f"{wanted} is missing")
            continue
        if not wanted.specifier.contains(found, prereleases=True):
            failed.append(f"{wanted.name} is {found}, not {wanted.specifier}")
    return failed


def _unmet_in_turn(requirements: Iterable[str]) -> list[str]:
    """List what the packages that the project needs lack themselves, by their own word; imports show what matters."""
    from packaging.requirements import Requirement

    names = [name for text in requirements if (name := Requirement(text).name) not in (*_NOT_NEEDED, *_GIVEN)]
    failed = []
    for name in names:
        with suppress(PackageNotFoundError):
            failed += [f"{name}: {reason}" for reason in unmet(requires(name) or ())]
    return failed


def _failed_imports() -> list[str]:
    """Import every module of the package; the extras' own packages may be missing."""
    import agegender

    failed = []
    for module in pkgutil.walk_packages(agegender.__path__, "agegender."):
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in _EXTRAS:
                failed.append(f"import {module.name}: {error}")
        except Exception:
            failed.append(f"import {module.name}: {traceback.format_exc(limit=-1)}")
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
