"""GPUs as the environment, nvidia-smi and PyTorch name them."""

from pathlib import Path

import pytest

from agegender.sweeps.launch import gpus
from agegender.sweeps.launch.gpus import visible_gpus
from agegender.system.errors import InputError

TWO_GPUS = """GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-11)
GPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-22)
"""
DIVIDED = """GPU 0: NVIDIA A100-SXM4-80GB (UUID: GPU-11)
  MIG 3g.40gb     Device  0: (UUID: MIG-aa)
  MIG 3g.40gb     Device  1: (UUID: MIG-bb)
GPU 1: NVIDIA A100-SXM4-80GB (UUID: GPU-22)
"""


@pytest.fixture
def unnamed(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return monkeypatch


def nvidia_smi(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> None:
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{text}END\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_gpus_are_those_that_the_environment_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, GPU-abc")
    assert visible_gpus("auto") == ["2", "GPU-abc"]
    assert visible_gpus("cpu") == []


@pytest.mark.parametrize("named", ["-1", "NoDevFiles", "-1,0", ""])
def test_what_cuda_reads_as_no_gpu_is_none(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert visible_gpus("auto") == []
    with pytest.raises(InputError, match=f"no GPU is visible here .CUDA_VISIBLE_DEVICES='{named}'"):
        visible_gpus("gpu")


def test_names_after_an_end_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,-1,1")
    assert visible_gpus("auto") == ["0"]


def test_an_nvidia_smi_that_fails_leaves_the_counting_to_pytorch(unnamed: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nvidia_smi(unnamed, tmp_path, "")
    (tmp_path / "nvidia-smi").write_text('#!/bin/sh\necho "couldn\'t communicate with the NVIDIA driver"\nexit 9\n')
    unnamed.setattr(gpus, "_COUNT", "print(2)")
    assert visible_gpus("gpu") == ["0", "1"]


@pytest.mark.parametrize(
    ("text", "names"), [(TWO_GPUS, ["0", "1"]), (DIVIDED, ["MIG-aa", "MIG-bb", "GPU-22"]), ("", [])]
)
def test_gpus_and_their_instances_are_listed(
    unnamed: pytest.MonkeyPatch, tmp_path: Path, text: str, names: list[str]
) -> None:
    nvidia_smi(unnamed, tmp_path, text)
    assert visible_gpus("auto") == names


def test_without_nvidia_smi_pytorch_counts(unnamed: pytest.MonkeyPatch) -> None:
    unnamed.setenv("PATH", "")
    unnamed.setattr(gpus, "_COUNT", "print(3)")
    assert visible_gpus("gpu") == ["0", "1", "2"]


def test_a_machine_without_either_has_none(unnamed: pytest.MonkeyPatch) -> None:
    unnamed.setenv("PATH", "")
    unnamed.setattr(gpus, "_COUNT", "raise RuntimeError")
    assert visible_gpus("auto") == []


def test_the_cpu_is_never_taken_in_silence_where_a_gpu_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus("auto") == []
    for accelerator in ("gpu", "cuda"):
        with pytest.raises(InputError, match=r"no GPU is visible here .*; use trainer=cpu or auto"):
            visible_gpus(accelerator)
