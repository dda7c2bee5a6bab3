"""Writing and reading checkpoint files; on a full disk the previous checkpoint stays intact."""

import os
import zipfile
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from agegender.models.weights import UNREADABLE, why_unreadable
from agegender.system.errors import InputError, describe
from agegender.system.files import replacing


class CheckpointFile(TorchCheckpointIO):
    """Writes each checkpoint under a temporary name in its own directory, and renames it.

    Lightning's own writer uses the system's temporary directory. If that is another disk, it copies the file over the
    previous checkpoint, and a full disk destroys both.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None):
        write_checkpoint(Path(path), checkpoint)


def write_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint atomically.

    Raises:
        OSError: the disk is full or fails; the error names the checkpoint.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        # A fixed temporary name, so that the leftover of a killed job is overwritten. Only a job's main process writes.
        with replacing(path, temporary=path.with_name(f".{path.name}.tmp")) as file:
            torch.save(content, file)
    except (OSError, RuntimeError) as error:  # PyTorch hides the system's error behind one of its own
        cause = _system_error(error)
        if cause is None:
            raise
        raise OSError(cause.errno, cause.strerror, str(path)) from error


def _system_error(error: BaseException | None) -> OSError | None:
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            return error
        error = error.__cause__ or error.__context__
    return None


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint's plain containers and tensors; no code in it is executed.

    Raises:
        InputError: it cannot be read.
    """
    try:
        # Memory-mapped: to read the configuration or the epoch, the tensors, 1.5 GB for VGG11, need not be read.
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except (*UNREADABLE, OSError) as error:
        if describe(error) is not None:  # an error of the system, which has a remedy of its own
            raise
        raise InputError(
            f"{path} is not a checkpoint that can be read safely ({why_unreadable(path, error)}); give a run's "
            "checkpoints/best.ckpt"
        ) from error
    return content if isinstance(content, dict) else {}
