import os
import subprocess
import sys
import time
from pathlib import Path

import filelock
import pytest

from agegender.system import locks
from agegender.system.locks import HeldElsewhere, locked

HOLD = """
import sys, time
from pathlib import Path
from agegender.system.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "file")], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def die_elsewhere(holder: subprocess.Popen[str], marker: Path, *, lease: float = 30.0) -> None:
    """Kill a lock's holder, and have its marker name another machine and this lease."""
    lines = ["host=elsewhere" if line.startswith("host=") else line for line in marker.read_text().split("\n")]
    holder.kill()
    holder.wait()
    marker.write_text("\n".join(lines).replace("duration=30.0", f"duration={lease}"))


def test_one_process_holds_a_lock_at_a_time(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    with pytest.raises(HeldElsewhere), locked(tmp_path / "file", timeout=0):
        pass
    holder.terminate()


def test_the_lock_of_a_killed_process_is_free(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    holder.kill()
    holder.wait()
    with locked(tmp_path / "file", timeout=10):
        pass


def test_the_lock_of_a_dead_node_expires(
    holder: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "LEASE_SECONDS", 1.0)
    die_elsewhere(holder, tmp_path / ".file.lease", lease=1.0)
    start = time.monotonic()
    with locked(tmp_path / "file", timeout=20):
        assert time.monotonic() - start > 0.9


def test_a_marker_without_a_holder_is_removed_when_it_is_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".file.lease").touch()  # as a crash of the file system may leave one
    monkeypatch.setattr(locks, "LEASE_SECONDS", 1.0)
    with locked(tmp_path / "file", timeout=5):
        pass
    assert not list(tmp_path.iterdir())


def test_an_old_lock_of_another_machine_is_taken_at_once_also_by_who_does_not_wait(
    holder: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    die_elsewhere(holder, tmp_path / ".file.lease")
    with pytest.raises(HeldElsewhere), locked(tmp_path / "file", timeout=0):
        pass
    monkeypatch.setattr(locks, "LEASE_SECONDS", 0.5)
    time.sleep(0.6)
    with locked(tmp_path / "file", timeout=0):
        pass


def test_the_lock_of_a_killed_process_expires_where_a_file_cannot_take_anothers_place_in_one_step(
    holder: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filelock._soft, "exchange_names", lambda *_: False)  # as on NFS
    holder.kill()
    holder.wait()
    with pytest.raises(HeldElsewhere), locked(tmp_path / "file", timeout=0):
        pass
    monkeypatch.setattr(locks, "LEASE_SECONDS", 1.0)
    with locked(tmp_path / "file", timeout=20):
        pass


def test_a_new_holders_marker_goes_back_where_it_was_renamed_by_mistake(
    holder: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / ".file.lease"
    before = marker.read_text()
    old = marker.stat()
    stat = Path.stat

    def as_it_was(path: Path, **options: bool) -> os.stat_result:
        return os.stat_result((*old[:1], old.st_ino + 1, *old[2:])) if path == marker else stat(path, **options)

    monkeypatch.setattr(Path, "stat", as_it_was)
    monkeypatch.setattr(locks, "_now", lambda marker: time.time() + 100)
    locks._remove_expired(marker)
    assert marker.read_text() == before and os.stat(marker).st_ino == old.st_ino
    assert [path.name for path in tmp_path.iterdir()] == [marker.name]


def test_a_lock_leaves_no_file_behind(tmp_path: Path) -> None:
    with locked(tmp_path / "file"):
        assert (tmp_path / ".file.lease").exists()
    assert not list(tmp_path.iterdir())
