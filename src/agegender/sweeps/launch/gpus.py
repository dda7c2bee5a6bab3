"""Which GPUs the jobs of a machine may use, found without starting CUDA in this process."""

import os
import re
import subprocess
import sys

from agegender.system.errors import InputError

_MIG = re.compile(r"\(UUID: (MIG-[^)]+)\)")
_COUNT = "import torch; print(torch.cuda.device_count())"


def visible_gpus(accelerator: str) -> list[str]:
    """Name the GPUs as CUDA_VISIBLE_DEVICES does; none where the jobs use the CPU.

    A GPU that is divided (MIG) is as many as it has instances. Where there is no `nvidia-smi`, as in many containers,
    PyTorch counts them in a process of its own.

    Raises:
        InputError: a GPU is asked for and none is found: the jobs would use the CPU without a word.
    """
    if accelerator not in ("auto", "gpu", "cuda"):
        return []
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        found = [name.strip() for name in named.split(",") if name.strip()]
    else:
        found = _listed()
    if not found and accelerator != "auto":
        where = "CUDA_VISIBLE_DEVICES is empty" if named is not None else "neither nvidia-smi nor PyTorch finds one"
        raise InputError(
            f"trainer.accelerator={accelerator}: no GPU is visible here ({where}); use trainer=cpu or auto"
        )
    return found


def _listed() -> list[str]:
    try:
        lines = _output("nvidia-smi", "-L").splitlines()
    except (OSError, subprocess.SubprocessError):
        return _counted()
    gpus: list[list[str]] = []  # of each GPU its instances, none where it is whole
    for line in lines:
        instance = _MIG.search(line)
        if line.startswith("GPU "):
            gpus.append([])
        elif instance is not None and gpus:
            gpus[-1].append(instance[1])
    return [name for index, instances in enumerate(gpus) for name in (instances or [str(index)])]


def _counted() -> list[str]:
    try:
        return [str(index) for index in range(int(_output(sys.executable, "-c", _COUNT)))]
    except (OSError, ValueError, subprocess.SubprocessError):
        return []


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
