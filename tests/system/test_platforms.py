"""On platforms that lack what a run needs, commands end with one line before anything else."""

import subprocess
import sys

import pytest
from paths import ROOT

from agegender import cli
from agegender.system.platforms import check_platform


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_linux_and_macos_are_supported(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    check_platform()


@pytest.mark.parametrize("script", ["train.py", "eval.py"])
@pytest.mark.parametrize("platform", ["win32", "cygwin"])
def test_on_windows_a_script_ends_with_one_line_and_code_2_before_it_imports_more(script: str, platform: str) -> None:
    code = (
        f"import runpy, sys; sys.platform = {platform!r}; sys.modules['hydra'] = None; "
        f"runpy.run_path({str(ROOT / script)!r}, run_name='__main__')"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (finished.returncode, finished.stdout) == (2, "")
    (line,) = finished.stderr.splitlines()
    assert line.startswith(f"error: agegender runs on Linux and macOS, not on {platform}; on Windows use WSL")


def test_on_windows_the_command_ends_likewise(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(SystemExit) as ended:
        cli.main(["audit", "nowhere"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("error: agegender runs on Linux and macOS, not on win32")


def test_the_command_imports_nothing_that_windows_lacks() -> None:
    code = (
        "import os, signal, sys; del signal.SIGUSR1, os.pwrite; sys.modules.update(resource=None, fcntl=None); "
        "import agegender.cli"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert finished.returncode == 0, finished.stderr
