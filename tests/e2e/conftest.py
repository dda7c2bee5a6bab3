from pathlib import Path

import pytest
from shell import Shell


@pytest.fixture(scope="session")
def face_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def shell(tmp_path: Path, face_cache: Path) -> Shell:
    return Shell(tmp_path, face_cache)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, face_cache: Path) -> Shell:
    """A directory with one complete run, runs/try/resnet18/weighted/0, with offline W&B; do not change it."""
    shell = Shell(tmp_path_factory.mktemp("trained"), face_cache)
    finished = shell.train("loss=weighted", "name=try", "logger=wandb", "tags=[first, second]")
    assert finished.code == 0, finished.output
    return shell
