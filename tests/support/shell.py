"""The project's commands as a user runs them, in a directory of the test."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from paths import ROOT
from warm_python import WarmPython

# A job of a few seconds: 120 synthetic faces of 32 pixels, which only this baseline accepts.
TINY = ("data.source.num_synthetic=120", "data.image_size=32", "model=resnet18", "trainer=cpu", "trainer.max_epochs=2")


def _is_plain(command: tuple[str, ...]) -> bool:
    """Whether a command is one of the project's, without W&B, whose own processes end with the interpreter."""
    if command[0] != sys.executable:
        return False
    is_projects = command[1].endswith(("train.py", "eval.py")) or command[1:3] == ("-m", "agegender.cli")
    uses_wandb = any(item in command for item in ("logger=wandb", "logger=[wandb,csv]"))
    uses_wandb = uses_wandb or (command[1].endswith("train.py") and "logger=none" not in command)
    return is_projects and not uses_wandb


@dataclass
class Finished:
    code: int
    output: str  # standard output and error, interleaved as in a terminal


class Shell:
    """Runs the project's commands as a user would, in a directory of the test.

    Args:
        folder: the working directory.
        cache: of decoded images.
        warm: runs commands of which only the result matters.
    """

    def __init__(self, folder: Path, cache: Path, warm: WarmPython) -> None:
        self.folder = folder
        self._warm = warm
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("WANDB")},
            "AGEGENDER_CACHE": str(cache),
            "HOME": str(folder),  # without the keys and settings of the machine's user
            "MPLCONFIGDIR": str(cache / "matplotlib"),  # its list of fonts takes seconds to build
            "COLUMNS": "200",
            "OMP_NUM_THREADS": "1",  # in tiny jobs more threads would only wait for each other
            "PYTHONPATH": str(ROOT / "tests" / "e2e" / "plugin"),
        }

    def start(self, *command: str, **options) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,
        )

    def run(self, *command: str, **options) -> Finished:
        if not options and _is_plain(command):
            return Finished(*self._warm.run(list(command[1:]), folder=self.folder, environment=self.environment))
        process = self.start(*command, **options)
        output, _ = process.communicate(timeout=240)
        return Finished(process.returncode, output)

    def train_command(self, *overrides: str) -> tuple[str, ...]:
        flags = [item for item in overrides if item.startswith("-")]  # Hydra expects flags first
        keys = [item for item in overrides if not item.startswith("-")]
        return (sys.executable, str(ROOT / "train.py"), *flags, *TINY, "logger=none", *keys)

    def train(self, *overrides: str, **options) -> Finished:
        return self.run(*self.train_command(*overrides), **options)

    def evaluate(self, *overrides: str) -> Finished:
        return self.run(sys.executable, str(ROOT / "eval.py"), *overrides)

    def agegender(self, *arguments: str) -> Finished:
        return self.run(sys.executable, "-m", "agegender.cli", *arguments)

    def record(self, job: str) -> dict:
        return json.loads((self.folder / "runs" / job / "record.json").read_text())

    def wait_for(self, job: str, text: str, process: subprocess.Popen[str]) -> None:
        """Wait until a job's log contains a text."""
        log = self.folder / "runs" / job / "train.log"
        deadline = time.monotonic() + 120
        while not (log.exists() and text in log.read_text()):
            assert process.poll() is None, f"ended before {text!r}: {process.communicate()[0]}"
            assert time.monotonic() < deadline, f"{text!r} never came"
            time.sleep(0.05)
