"""The commit of the code, also where it was copied without its repository."""

import json
from pathlib import Path

import pytest

from agegender.system import provenance


def test_code_that_was_copied_without_its_repository_names_its_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = tmp_path / "git_state.json"
    monkeypatch.setattr(provenance, "_COPIED", note)
    assert provenance.git_state().get("commit") != "abc"
    note.write_text(json.dumps({"commit": "abc", "dirty": False}))
    assert provenance.git_state() == {"commit": "abc", "dirty": False}
