"""Batches that a separate stream copies: the same pixels as without it, whatever is slow; and each safeguard is needed.

The GPU sleeps where a race would show: before each copy, so that a step that does not wait for it reads old memory, or
before each use, so that memory that is reused too early holds a later batch.
"""

import pytest
import torch
from gpu_checks import checksums, face_loader
from torch import Tensor

pytestmark = pytest.mark.gpu

_LATE_COPY = 20_000_000  # cycles, about 10 ms; a copy of a batch of 256 pixels takes 0.3 ms
_LATE_USE = 40_000_000  # about 20 ms; gathering the next batch takes the CPU 5 ms


@pytest.fixture(scope="module")
def expected() -> Tensor:
    return checksums(face_loader(2000, 256, torch.device("cpu"), resident=False), torch.device("cpu"))


def test_resident_batches_are_those_of_the_cpu(device: torch.device, expected: Tensor) -> None:
    assert torch.equal(checksums(face_loader(2000, 256, device, resident=True), device), expected)


def test_streamed_batches_are_those_of_the_cpu_however_late_they_are_used(
    device: torch.device, expected: Tensor
) -> None:
    loader = face_loader(2000, 256, device, resident=False)
    assert torch.equal(checksums(loader, device, delay=_LATE_USE), expected)


def test_streamed_batches_are_those_of_the_cpu_however_late_they_are_copied(
    device: torch.device, expected: Tensor
) -> None:
    loader = face_loader(2000, 256, device, resident=False, copy_delay=_LATE_COPY)
    assert torch.equal(checksums(loader, device), expected)


def test_without_waiting_for_the_copy_the_pixels_are_wrong(
    device: torch.device, expected: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda.Stream, "wait_event", lambda self, event: None)
    loader = face_loader(2000, 256, device, resident=False, copy_delay=_LATE_COPY)
    assert not torch.equal(checksums(loader, device), expected)


def test_without_keeping_the_memory_until_its_use_the_pixels_are_wrong(
    device: torch.device, expected: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tensor, "record_stream", lambda self, stream: None)
    loader = face_loader(2000, 256, device, resident=False)
    assert not torch.equal(checksums(loader, device, delay=_LATE_USE), expected)
