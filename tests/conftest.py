"""Faces of noise, of which no two look alike, and tiny trainings."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import composing
import pytest
import torch
from hydra.core.hydra_config import HydraConfig
from making import jpeg, name_of
from tiny_training import Trains

torch.set_num_threads(1)  # with more threads, the workers of a parallel test run would wait for each other

WriteFaces = Callable[..., Path]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not torch.cuda.is_available():
        skip = pytest.mark.skip(reason="needs an NVIDIA GPU; make test-gpu")
        for item in items:
            if item.get_closest_marker("gpu") is not None:
                item.add_marker(skip)


@pytest.fixture(scope="session")
def composed() -> Callable[..., dict[str, Any]]:
    """Return a function that composes conf/train.yaml with overrides, as train.py does, to plain containers."""
    return composing.composed


@pytest.fixture(scope="session")
def write_faces() -> WriteFaces:
    """Return a function that writes a noise JPEG per (age, gender), named as in UTKFace, and returns the folder."""

    def write(folder: Path, labels: list[tuple[int, int]], first_seed: int = 0) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for number, (age, gender) in enumerate(labels):
            (folder / name_of(age, gender, number)).write_bytes(jpeg(first_seed + number))
        return folder

    return write


@pytest.fixture(scope="session")
def face_folder(tmp_path_factory: pytest.TempPathFactory, write_faces: WriteFaces) -> Path:
    """Write 96 faces, which tests must not change: 12 in each closed age group, both genders."""
    ages = (1, 5, 10, 17, 27, 40, 50, 70)
    return write_faces(tmp_path_factory.mktemp("faces"), [(age, i % 2) for age in ages for i in range(12)])


@pytest.fixture(scope="module")
def trains(face_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trains]:
    """Train in this process; afterwards restore Hydra, the signal handlers and PyTorch's switches."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)}
    yield Trains(face_folder, tmp_path_factory.mktemp("cache"))
    HydraConfig.instance().cfg = None
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark = False
    for number, handler in handlers.items():
        signal.signal(number, handler)
