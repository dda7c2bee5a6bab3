"""Where a result comes from: the code's commit, the machine's processor."""

import json
import platform
import subprocess
from pathlib import Path
from typing import Any

_COPIED = Path(__file__).parents[3] / "git_state.json"


def git_state() -> dict[str, Any]:
    """Return the commit of the code, and whether the code was changed since; empty where nothing says so.

    Where the code was copied to a machine without its repository, a file beside train.py says it.
    """
    here = Path(__file__).parent
    if _COPIED.is_file():
        return json.loads(_COPIED.read_text(encoding="utf-8"))
    try:
        commit = _output(["git", "rev-parse", "HEAD"], here)
        return {"commit": commit, "dirty": bool(_output(["git", "status", "--porcelain"], here))}
    except (OSError, subprocess.SubprocessError):
        return {}


def _output(command: list[str], folder: Path) -> str:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=10).stdout.strip()


def cpu_name() -> str:
    """Return the name of the processor, as the system reports it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
