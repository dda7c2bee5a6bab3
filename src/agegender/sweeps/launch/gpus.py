"""Which GPUs the jobs of a machine may use, found without starting CUDA in this process."""

import itertools
import os
import re
import subprocess
import sys

from agegender.system.errors import InputError

_UUID = re.compile(r"\(UUID: ([^)]+)\)")
_NONE = ("-1", "NoDevFiles")  # in CUDA_VISIBLE_DEVICES: this and what follows is no GPU; the second is Slurm's
_COUNT = "import torch; print(torch.cuda.device_count())"


def visible_gpus(accelerator: str) -> list[str]:
    """Name the GPUs as CUDA_VISIBLE_DEVICES does; none where the jobs use the CPU.

    A GPU that is divided (MIG) is as many as it has instances. On a machine with such a GPU all are named by their
    UUIDs, since CUDA's numbers do not count what `nvidia-smi` counts there. Where there is no `nvidia-smi`, as in many
    containers, PyTorch counts them in a process of its own.

    Raises:
        InputError: a GPU is asked for and none is found: the jobs would use the CPU without a word.
    """
    if accelerator not in ("auto", "gpu", "cuda"):
        return []
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        names = (name.strip() for name in named.split(","))
        found = [name for name in itertools.takewhile(lambda name: name not in _NONE, names) if name]
    else:
        found = _listed()
    if not found and accelerator != "auto":
        where = f"CUDA_VISIBLE_DEVICES={named!r}" if named is not None else "neither nvidia-smi nor PyTorch finds one"
        raise InputError(
            f"trainer.accelerator={accelerator}: no GPU is visible here ({where}); use trainer=cpu or auto"
        )
    return found


def _listed() -> list[str]:
    try:
        lines = _output("nvidia-smi", "-L").splitlines()
    except (OSError, subprocess.SubprocessError):
        return _counted()
    gpus: list[tuple[str, list[str]]] = []  # the UUID of each GPU, and those of its instances, none where it is whole
    for line in lines:
        uuid = _UUID.search(line)
        if uuid is None:
            continue
        if line.startswith("GPU "):
            gpus.append((uuid[1], []))
        elif gpus:
            gpus[-1][1].append(uuid[1])
    if not any(instances for _, instances in gpus):
        return [str(index) for index in range(len(gpus))]
    return [name for uuid, instances in gpus for name in (instances or [uuid])]


def _counted() -> list[str]:
    try:
        return [str(index) for index in range(int(_output(sys.executable, "-c", _COUNT)))]
    except (OSError, ValueError, subprocess.SubprocessError):
        return []


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
