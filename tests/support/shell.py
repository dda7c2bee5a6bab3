"""The project's commands as a person runs them, in a directory of the test's."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from paths import ROOT
from warm_python import WarmPython

# Small enough for seconds a job: 120 drawn faces, 32 pixels, the one baseline that takes so few.
TINY = ("data.source.num_synthetic=120", "data.image_size=32", "model=resnet18", "trainer=cpu", "trainer.max_epochs=2")


def _is_plain(command: tuple[str, ...]) -> bool:
    """Whether a command is one of the project's, without W&B, whose own processes end with the interpreter."""
    if command[0] != sys.executable:
        return False
    is_ours = command[1].endswith(("train.py", "eval.py")) or command[1:3] == ("-m", "agegender.cli")
    return is_ours and ("train.py" not in command[1] or ("logger=none" in command and "logger=wandb" not in command))


@dataclass
class Finished:
    code: int
    output: str  # standard output and error, as a person sees them


class Shell:
    """Runs the project's commands as a person would, in a directory of the test's.

    Args:
        folder: where they run.
        cache: of decoded images.
        warm: runs those that nothing but their end is asked of.
    """

    def __init__(self, folder: Path, cache: Path, warm: WarmPython) -> None:
        self.folder = folder
        self._warm = warm
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("WANDB")},
            "AGEGENDER_CACHE": str(cache),
            "HOME": str(folder),  # no key, no settings of the machine's user
            "MPLCONFIGDIR": str(cache / "matplotlib"),  # its list of fonts takes seconds to make
            "COLUMNS": "200",
            "OMP_NUM_THREADS": "1",  # tiny jobs: more threads would only wait for each other
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
        flags = [item for item in overrides if item.startswith("-")]  # Hydra wants them together, first
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
        """Wait until a job's log holds a text."""
        log = self.folder / "runs" / job / "train.log"
        deadline = time.monotonic() + 120
        while not (log.exists() and text in log.read_text()):
            assert process.poll() is None, f"ended before {text!r}: {process.communicate()[0]}"
            assert time.monotonic() < deadline, f"{text!r} never came"
            time.sleep(0.05)
