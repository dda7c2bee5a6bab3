"""A real Slurm of two nodes on this machine, started for the tests."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
NETWORK = ("model=slow", "data.source.num_synthetic=160", "data.image_size=32", "data.batch_size=4", "trainer=cpu")
NETWORK += ("checkpoint_minutes=0.001",)  # so that jobs that are hit in their first minute have one
SMALL = ("hydra.launcher.gpus_per_node=null", "hydra.launcher.cpus_per_task=1", "hydra.launcher.mem_gb=4")


class Cluster:
    """Runs the project's commands on the login node, and Slurm's.

    Attributes:
        folder: where they run.
    """

    def __init__(self, folder: Path, lab: Path) -> None:
        self.folder = folder
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("WANDB", "SLURM"))}
        self.environment = kept | {
            "SLURM_CONF": str(lab / "slurm.conf"),
            "AGEGENDER_CACHE": str(folder / "cache"),
            "MPLCONFIGDIR": str(lab / "matplotlib"),
            "PYTHONPATH": str(HERE / "plugin"),
            "COLUMNS": "200",
            "OMP_NUM_THREADS": "1",
        }

    def start(self, *overrides: str) -> subprocess.Popen[str]:
        """Start a sweep on Slurm; its output goes to a pipe."""
        command = [
            *(sys.executable, str(ROOT / "train.py"), "-m", *NETWORK, *SMALL, "hydra/launcher=slurm", "logger=none"),
            *("hydra.launcher.poll_seconds=1", f"hydra.searchpath=[file://{HERE / 'conf'}]", *overrides),
        ]
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def sweep(self, *overrides: str) -> tuple[int, str]:
        """Run a sweep to its end; give its exit code and output."""
        process = self.start(*overrides)
        output, _ = process.communicate(timeout=240)
        return process.returncode, output

    def slurm(self, *command: str) -> str:
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True).stdout

    def job(self, name: str, seed: int) -> Path:
        return self.folder / "runs" / name / "slow" / "plain" / str(seed)

    def record(self, name: str, seed: int) -> dict[str, Any]:
        return json.loads((self.job(name, seed) / "record.json").read_text())

    def trap(self, seed: int, kind: str) -> Path:
        """Set the trap in which the jobs of a seed fail: an `error`, or more `memory` than they may have."""
        path = self.folder / "runs" / f"trap-{seed}"
        path.parent.mkdir(exist_ok=True)
        path.write_text(kind)
        return path

    def number(self, name: str, seed: int) -> str:
        """Return Slurm's number of a job."""
        numbers = json.loads((self.folder / "runs" / name / ".slurm" / "jobs.json").read_text())
        return numbers[f"runs/{name}/slow/plain/{seed}"]

    def pid(self, name: str, seed: int) -> int:
        """Return the process that trains a job."""
        return self.pid_in(f"runs/{name}/slow/plain/{seed}")

    def pid_in(self, folder: str) -> int:
        """Return the process that trains in a directory."""
        told = f"hydra.run.dir='{folder}'".encode()
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                arguments = path.read_bytes().split(b"\0")
            except OSError:
                continue
            if told in arguments:
                return int(path.parent.name)
        raise AssertionError(f"no process trains in {folder}")

    def in_epoch(self, name: str, seed: int, epoch: int) -> bool:
        """Whether a job is in the middle of an epoch: those before it are finished, and a checkpoint is written."""
        try:
            finished = len(self.record(name, seed)["history"])
        except FileNotFoundError:
            return False
        return finished == epoch - 1 and (self.job(name, seed) / "checkpoints" / "last.ckpt").exists()

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"{what} never came; {self.slurm('squeue')}"
            time.sleep(0.1)


def _missing() -> str | None:
    if os.getuid() != 0:
        return "a Slurm of its own needs root"
    if shutil.which("slurmctld") is None and shutil.which("apt-get") is None:
        return "neither Slurm nor apt-get is here"
    return None


def _lab(folder: Path, port: int, **settings: str) -> Iterator[Path]:
    reason = _missing()
    if reason is not None:
        pytest.skip(reason)
    claimed = {"SLURM_LAB_CPUS": "32", "SLURM_LAB_MEM": "200000"}  # of each node, whatever is there
    environment = os.environ | {"SLURM_LAB": str(folder), "SLURM_LAB_PORT": str(port)} | claimed | settings
    try:
        started = subprocess.run([HERE / "up.sh"], env=environment, timeout=280)
        if started.returncode and shutil.which("slurmctld") is None:
            pytest.skip("Slurm could not be installed")
        assert started.returncode == 0
        yield folder
    finally:
        subprocess.run([HERE / "down.sh", "--wipe"], env=environment, check=True, timeout=120)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield from _lab(tmp_path_factory.mktemp("slurm"), 17817)


@pytest.fixture
def cluster(lab: Path, tmp_path: Path) -> Cluster:
    return Cluster(tmp_path, lab)


@pytest.fixture
def cluster_without_accounting(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Iterator[Cluster]:
    for folder in _lab(tmp_path_factory.mktemp("bare"), 18817, SLURM_LAB_DBD="0"):
        yield Cluster(tmp_path, folder)
