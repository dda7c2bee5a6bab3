from collections.abc import Iterator
from pathlib import Path

import pytest
from searching import Searching

from agegender.jobs.outcomes import session


@pytest.fixture
def searching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Searching]:
    monkeypatch.chdir(tmp_path)
    yield Searching()
    session.__init__()
