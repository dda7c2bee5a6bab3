"""Atomic file writes: their errors name the file, and leftovers of killed writers are removed."""

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agegender.system import files
from agegender.system.files import check_writable, remove_temporary, replacing


def write(path: Path, content: bytes = b"new") -> None:
    with replacing(path) as file:
        file.write(content)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")  # without a name, as `write` and `fsync` raise it


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_an_error_of_the_disk_names_the_file_and_leaves_the_former_one(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "record.json"
    path.write_bytes(b"old")
    monkeypatch.setattr(files.os, call, full)
    with pytest.raises(OSError, match="No space left") as caught:
        write(path)
    assert str(caught.value) == f"[Errno {errno.ENOSPC}] No space left on device: {str(path)!r}"
    assert path.read_bytes() == b"old" and names(tmp_path) == ["record.json"]


def test_an_error_of_opening_names_the_file_itself_rather_than_the_temporary_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        write(tmp_path / "missing" / "record.json")
    assert caught.value.filename == str(tmp_path / "missing" / "record.json")


def test_an_error_of_another_file_keeps_its_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, replacing(tmp_path / "copy"):
        (tmp_path / "original").read_bytes()
    assert caught.value.filename == str(tmp_path / "original")


WRITER = """
import sys, time
from pathlib import Path
from agegender.system.files import replacing
with replacing(Path(sys.argv[1])) as file:
    file.write(b"half")
    print("writing", flush=True)
    time.sleep(60)
"""


def start_writer(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "writing\n"
    return process


def test_what_a_killed_writer_left_goes_with_the_next_one_and_a_living_ones_stays(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    with start_writer(path) as killed, start_writer(path) as living:
        killed.kill()
        killed.wait()
        assert len(names(tmp_path)) == 2
        write(path)
        assert len(names(tmp_path)) == 2 and path.read_bytes() == b"new"
        living.kill()
        living.wait()
    write(path)
    assert names(tmp_path) == ["table.csv"]


def test_writers_of_one_process_leave_each_other_alone(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    with replacing(path) as file:
        file.write(b"outer")
        write(path)
    assert path.read_bytes() == b"outer" and names(tmp_path) == ["table.csv"]


@pytest.mark.parametrize("name", [".table.csv.01234567-12-89abcdef.tmp", ".table.csv.12ab34cd.tmp"])
def test_what_another_machine_or_version_writes_stays_until_it_is_old(name: str, tmp_path: Path) -> None:
    other = tmp_path / name
    other.touch()
    write(tmp_path / "table.csv")
    assert other.exists()
    hours_ago = time.time() - 7200
    os.utime(other, (hours_ago, hours_ago))
    write(tmp_path / "table.csv")
    assert names(tmp_path) == ["table.csv"]


def test_the_only_writer_of_a_directory_removes_whatever_is_temporary_in_it(tmp_path: Path) -> None:
    for name in (".last.ckpt.tmp", ".record.json.01234567-12-89abcdef.tmp", ".job.lease", "train.log"):
        (tmp_path / name).touch()
    remove_temporary(tmp_path)
    assert names(tmp_path) == [".job.lease", "train.log"]
    remove_temporary(tmp_path / "missing")


def test_a_directory_is_tried_without_leaving_a_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_writable(tmp_path)
    assert not names(tmp_path)
    monkeypatch.setattr(files.tempfile, "TemporaryFile", lambda **_: full())
    with pytest.raises(OSError, match="No space left") as caught:
        check_writable(tmp_path)
    assert caught.value.filename == str(tmp_path)
