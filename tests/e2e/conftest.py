import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from shell import Shell
from warm_python import WarmPython


@pytest.fixture(scope="session")
def face_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def warm() -> Iterator[WarmPython]:
    server = WarmPython({**os.environ, "OMP_NUM_THREADS": "1"})
    yield server
    server.close()


@pytest.fixture
def shell(tmp_path: Path, face_cache: Path, warm: WarmPython) -> Shell:
    return Shell(tmp_path, face_cache, warm)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, face_cache: Path, warm: WarmPython) -> Shell:
    """A directory with one complete run, runs/try/tiny/weighted/0, with offline W&B; do not change it."""
    shell = Shell(tmp_path_factory.mktemp("trained"), face_cache, warm)
    finished = shell.train("loss=weighted", "name=try", "logger=wandb", "tags=[first, second]")
    assert finished.code == 0, finished.output
    return shell


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("e2e")
