"""Whole commands on the GPU, each in a process of its own: a broken device, several jobs on it, NCCL."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from gpu_checks import different, weights_of
from paths import ROOT
from tiny_training import COMPACT

pytestmark = pytest.mark.gpu

BREAKS = """
import lightning, torch

class Breaks(lightning.Callback):
    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        values = torch.zeros(3, device=pl_module.device)
        print(values[torch.tensor([7], device=pl_module.device)])  # an index out of range, inside a kernel
        torch.cuda.synchronize()
"""


class Command:
    """Runs `train.py` for tiny jobs in a folder."""

    def __init__(self, folder: Path, faces: Path) -> None:
        self.folder = folder
        self._settings = (
            *COMPACT,
            f"data.root={faces}",
            f"data.cache_dir={folder / 'cache'}",
            "trainer=gpu",
            "trainer.max_epochs=2",
            "data.batch_size=16",
            "logger=none",
        )

    def __call__(self, *overrides: str, code: int = 0, **variables: str) -> str:
        flags = [item for item in overrides if item.startswith("-")]
        keys = [item for item in overrides if not item.startswith("-")]
        # The launcher is to list or count the GPUs itself.
        inherited = {key: value for key, value in os.environ.items() if key != "CUDA_VISIBLE_DEVICES"}
        finished = subprocess.run(
            [sys.executable, str(ROOT / "train.py"), *flags, *self._settings, *keys],
            cwd=self.folder,
            env={**inherited, "COLUMNS": "200", **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=110,
        )
        assert finished.returncode == code, finished.stdout
        return finished.stdout

    def records(self, name: str) -> list[dict]:
        return [json.loads(path.read_text()) for path in sorted((self.folder / "runs" / name).rglob("record.json"))]


@pytest.fixture
def train(tmp_path: Path, face_folder: Path) -> Command:
    return Command(tmp_path, face_folder)


def test_an_error_inside_a_kernel_ends_the_sweep_with_the_reason(train: Command) -> None:
    (train.folder / "breaking.py").write_text(BREAKS)
    paths = f"{train.folder}:{os.environ.get('PYTHONPATH', '')}"
    jobs = ("-m", "loss=plain,weighted", "+callbacks.breaks._target_=breaking.Breaks")
    output = train(*jobs, "name=broken", code=1, PYTHONPATH=paths)
    assert "can no longer use the GPU" in output and "1 failed" in output
    (record,) = train.records("broken")  # the second job was not started
    assert record["status"] == "failed"


@pytest.mark.parametrize("has_nvidia_smi", [True, False])
def test_three_jobs_share_a_gpu(has_nvidia_smi: bool, train: Command, tmp_path: Path) -> None:
    variables = {}
    if not has_nvidia_smi:
        (tmp_path / "empty").mkdir()
        variables["PATH"] = str(tmp_path / "empty")
    launcher = ("-m", "hydra/launcher=local", "hydra.launcher.jobs_per_gpu=3", "hydra.launcher.n_jobs=3")
    output = train(*launcher, "loss=plain,weighted,dex", "name=shared", **variables)
    assert "3 jobs: 3 trained." in output
    records = train.records("shared")
    assert [record["environment"]["accelerator"] for record in records] == ["cuda"] * 3
    if torch.cuda.device_count() == 1:
        assert [record["time"]["jobs_per_gpu"] for record in records] == [3] * 3


def test_one_process_over_nccl_trains_as_one_without_it(train: Command) -> None:
    for name, overrides in (("alone", ()), ("ddp", ("trainer.strategy=ddp", "trainer.devices=1"))):
        train("trainer.deterministic=true", f"name={name}", *overrides)
    one, other = (weights_of(next((train.folder / "runs" / name).rglob("last.ckpt"))) for name in ("alone", "ddp"))
    assert different(one, other) == []
