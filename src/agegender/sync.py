"""Send what was written offline to W&B: of every job of a sweep, and of its comparison."""

import subprocess
import sys
from pathlib import Path

from agegender.errors import InputError


def sync(folder: Path, *, dry_run: bool = False) -> int:
    """Run `wandb sync` on every offline run below runs/NAME.

    A job that was interrupted has written one directory per attempt, all with one id: W&B joins those that it is given
    together, in the order of their starts. What has been sent is not sent again.

    Args:
        folder: of the sweep.
        dry_run: only tell what would be sent.

    Returns:
        Exit code of `wandb sync`.

    Raises:
        InputError: there is nothing to send.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a directory; give runs/NAME")
    runs = sorted(folder.rglob("wandb/offline-run-*"), key=lambda path: path.name)
    if not runs:
        raise InputError(f"{folder} holds no offline runs of W&B; logger.mode=offline writes them")
    command = [sys.executable, "-m", "wandb", "sync", "--yes", *(["--dry-run"] if dry_run else []), *map(str, runs)]
    return subprocess.run(command, stdin=subprocess.DEVNULL).returncode
