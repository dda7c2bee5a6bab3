"""A Python process with all common imports that forks for each command, which saves seconds per command.

A forked child runs the command's own file as `__main__`, with its own directory, environment and output, and with the
signal handlers of a new process, so that it can be interrupted and killed as one.
"""

import atexit
import json
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


class WarmProcess:
    """A command that runs, with what a test needs of `subprocess.Popen`.

    Args:
        pid: of the forked child.
        output: holds what it has written so far.
        ask: sends a request to its parent, which alone can wait for it.
    """

    def __init__(self, pid: int, output: Path, ask: Callable[..., Any]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._output = output
        self._ask = ask

    def poll(self) -> int | None:
        """Return the exit code, the negative number of the signal that ended it, or None while it runs."""
        if self.returncode is None:
            self.returncode = self._ask(poll=self.pid)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float = 240) -> tuple[str, None]:
        """Wait for its end, and return its output and errors together."""
        deadline = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout, self._output.read_bytes())
            time.sleep(0.02)
        return self._output.read_text(errors="replace"), None


class WarmPython:
    """Starts Python files as processes.

    Args:
        environment: of the server, as libraries read `OMP_NUM_THREADS` and the like when they are imported.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._server = subprocess.Popen(
            [sys.executable, __file__],
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, arguments: list[str], *, folder: Path, environment: Mapping[str, str], output: Path) -> WarmProcess:
        """Start `python arguments`; its output and errors go to a file together."""
        request = {"arguments": arguments, "folder": str(folder), "environment": dict(environment)}
        return WarmProcess(self._ask(**request, output=str(output)), output, self._ask)

    def _ask(self, **request: Any) -> Any:
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        return json.loads(self._server.stdout.readline())

    def close(self) -> None:
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()


def _serve() -> None:
    import hydra.main
    import lightning
    import torch
    import torchvision

    import agegender.jobs.evaluate
    import agegender.jobs.fit
    import agegender.jobs.run
    import agegender.sweeps.callback  # noqa: F401

    assert lightning and torch and torchvision and hydra
    for line in sys.stdin:
        request = json.loads(line)
        answer = _poll(request["poll"]) if "poll" in request else _start(request)
        print(json.dumps(answer), flush=True)


def _start(request: dict) -> int:
    child = os.fork()
    if child == 0:
        _become(request)
    return child


def _poll(child: int) -> int | None:
    ended, status = os.waitpid(child, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def _become(request: dict) -> None:
    """Run a command in this forked process, and exit."""
    code = 1
    try:
        output = os.open(request["output"], os.O_WRONLY)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for number, target in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(number, target)
        sys.stdin = open(0, encoding="utf-8", closefd=False)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False, errors="backslashreplace", buffering=1)
        os.environ.clear()
        os.environ.update(request["environment"])
        os.chdir(request["folder"])
        os.setpgid(0, 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.path[1:1] = [item for item in request["environment"].get("PYTHONPATH", "").split(os.pathsep) if item]
        code = _run(request["arguments"])
    except BaseException:
        traceback.print_exc()
    finally:
        threading._shutdown()  # as an interpreter does when it exits
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


def _run(arguments: list[str]) -> int:
    try:
        if arguments[0] == "-m":
            sys.argv = arguments[1:]
            runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = arguments
            sys.path[0] = str(Path(arguments[0]).parent)
            runpy.run_path(arguments[0], run_name="__main__")
    except SystemExit as stop:
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)
            return 1
        return stop.code or 0
    return 0


if __name__ == "__main__":
    _serve()
