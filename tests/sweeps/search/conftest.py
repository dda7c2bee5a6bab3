from collections.abc import Iterator
from pathlib import Path

import pytest
from searching import Searching

from agegender.jobs.stop_flag import stop_flag


@pytest.fixture
def searching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Searching]:
    monkeypatch.chdir(tmp_path)
    yield Searching()
    stop_flag.__init__()
