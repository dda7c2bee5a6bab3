"""The log of a job whose disk is full."""

import errno
import io
import logging
from pathlib import Path

import pytest

from agegender.system.job_log import JobLog


class FullStream(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_costs_lines_and_one_warning_but_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = JobLog(tmp_path / "train.log")
    stream = log.setStream(FullStream())
    assert stream is not None
    stream.close()
    for _ in range(2):
        log.handle(logging.makeLogRecord({"msg": "epoch 1/2"}))
    warning = capsys.readouterr().err
    assert warning.count("\n") == 1 and "train.log is missing lines: [Errno 28] No space left on device" in warning


def test_a_defect_of_a_log_line_is_still_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = JobLog(tmp_path / "train.log")
    log.handle(logging.makeLogRecord({"msg": "%d", "args": ("no number",)}))
    log.close()
    assert "Traceback" in capsys.readouterr().err
