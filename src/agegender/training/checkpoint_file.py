"""How checkpoints reach the disk, where a full one leaves the former checkpoint as it was, and are read from it."""

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
    """Writes each checkpoint beside its final place and renames it.

    Lightning's own writes to the system's temporary directory and copies from there, over the former checkpoint, where
    that is another disk: a full disk leaves neither.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None):
        write_checkpoint(Path(path), checkpoint)


def write_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint, whole or not at all.

    Raises:
        OSError: there is no room, or the disk refuses; it names the checkpoint.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        # One name: what a killed job left is overwritten. Only a job's main process writes.
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
    """Read a checkpoint's plain containers and tensors; nothing in it is executed.

    Raises:
        InputError: it cannot be read.
    """
    try:
        # Mapped: who wants the configuration or the epoch does not read the tensors, 1.5 GB of them for VGG11.
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except (*UNREADABLE, OSError) as error:
        if describe(error) is not None:  # of the system, with a mend of its own
            raise
        raise InputError(
            f"{path} is not a checkpoint that can be read safely ({why_unreadable(path, error)}); give a run's "
            "checkpoints/best.ckpt"
        ) from error
    return content if isinstance(content, dict) else {}
