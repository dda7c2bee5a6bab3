"""A GPU that an error has made unusable, tested as far as a machine without one allows."""

import pytest
import torch

from agegender.system.devices import broken_gpu
from agegender.training.timing import reset_peak_memory


def test_without_a_gpu_in_use_nothing_is_broken() -> None:
    assert broken_gpu() is None


def test_a_gpu_that_answers_with_an_error_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise RuntimeError("CUDA error: device-side assert triggered\nmore lines")

    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", refuse)
    reason = broken_gpu()
    assert reason is not None and "device-side assert triggered" in reason and "\n" not in reason


def test_a_gpu_that_answers_is_not_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    assert broken_gpu() is None


def test_a_job_for_the_cpu_does_not_start_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    touched = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: touched.append("reset"))
    reset_peak_memory(on_gpu=False)
    assert touched == []
    reset_peak_memory(on_gpu=True)
    assert touched == ["reset"]
