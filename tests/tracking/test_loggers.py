"""Lightning's loggers made from the configuration."""

from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch.loggers import CSVLogger
from tracked import tracked_record

from agegender.system.errors import InputError
from agegender.tracking.loggers import make_logger

CSV = "lightning.pytorch.loggers.CSVLogger"


def made(entry: dict[str, Any], folder: Path) -> Any:
    return make_logger("mine", entry, tracked_record(), folder, "vgg11/dex/3")


def test_a_logger_writes_into_the_directory_of_its_job_unless_it_is_told_another(tmp_path: Path) -> None:
    assert isinstance(made({"_target_": CSV}, tmp_path), CSVLogger)
    assert Path(made({"_target_": CSV, "name": "csv"}, tmp_path).log_dir) == tmp_path / "csv/version_0"
    assert Path(made({"_target_": CSV, "save_dir": "else"}, tmp_path).save_dir) == Path("else")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({}, "logger.mine has no _target_"),
        ({"_target_": "torch.nn.Linear"}, "is not a Lightning logger"),
        ({"_target_": "my_package.MyLogger"}, "does not exist; check its spelling"),
        ({"_target_": CSV, "nme": "x"}, "unexpected keyword argument 'nme'; check its keys"),
    ],
)
def test_what_is_no_logger_is_refused_in_one_line(entry: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message) as refused:
        made(entry, tmp_path)
    assert "\n" not in str(refused.value)


def test_a_logger_without_its_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise ModuleNotFoundError("No module named 'tensorboard'")

    monkeypatch.setattr(CSVLogger, "__init__", lambda self, **given: refuse())
    with pytest.raises(InputError, match="install it"):
        made({"_target_": CSV}, tmp_path)
