import os
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from agegender.records import record
from agegender.records.record import Record
from agegender.sweeps.launch.plan import PlannedJob
from agegender.sweeps.launch.screen import Screen


def test_an_epoch_is_told_once_and_a_record_that_has_not_changed_is_not_read_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO")
    job = PlannedJob([], OmegaConf.create(), tmp_path, [], num_epochs=3, state="running")
    read: list[Path] = []
    known = record.read
    monkeypatch.setattr(record, "read", lambda folder: read.append(folder) or known(folder))
    screen = Screen([job])
    screen.update()
    for epochs in (1, 2):
        record.write(tmp_path, Record("running", "x", {}, {}, 0, history=[{}] * epochs))
        os.utime(tmp_path / record.FILE_NAME, (epochs, epochs))
        screen.update()
        screen.update()
    told = [message.removeprefix(f"{tmp_path}: ") for message in caplog.messages]
    assert told == [f"running, epoch {epoch}/3" for epoch in (1, 2, 3)]
    assert len(read) == 2
