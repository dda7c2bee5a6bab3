"""`fit` in a process of its own, whose timed steps start together with those of others: python -m … FILE INDEX.

For what holds for a whole process, such as the algorithms that cuDNN has chosen, and for jobs that share a GPU.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from agegender.system.cores import available_cores
from agegender.training import trainers
from benchmarks.clock import StepClock
from benchmarks.fit import fit_ours
from benchmarks.subject import Settings, checkout, faces, job

_POLL_SECONDS = 0.001  # while waiting for the other processes
_WAIT_SECONDS = 300.0  # for the slowest one


def fit_apart(settings: Settings, model: str, overrides: Sequence[str] = (), *, num_jobs: int = 1) -> float:
    """Train some steps in as many processes at once, and return the images per second of all of them together.

    The time is that from the common start to the end of the last one.
    """
    faces(settings, settings.num_images)  # drawn here, for all of them
    request = settings.folder / "fit-process.json"
    content = {"settings": asdict(settings), "model": model, "overrides": list(overrides), "num_jobs": num_jobs}
    request.write_text(json.dumps(content, default=str))
    for index in range(num_jobs):
        _ready(request, index).unlink(missing_ok=True)
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()  # what this process has set aside, they could not use
    threads = str(max(1, len(available_cores()) // num_jobs))
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.fit_process", str(request), str(index)],
            cwd=checkout(),
            env={**os.environ, "OMP_NUM_THREADS": threads},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(num_jobs)
    ]
    seconds = []
    try:
        for process in processes:
            out, errors = process.communicate()
            if process.returncode:
                raise RuntimeError(f"a process of the benchmark ended with {process.returncode}: {errors[-2000:]}")
            seconds.append(float(out.split()[-1]))
    finally:
        for process in processes:
            process.kill()
    return num_jobs * settings.steps * settings.batch_size / max(seconds)


def _ready(request: Path, index: int) -> Path:
    return request.with_name(f"{request.stem}-{index}.ready")


def _train(request: Path, index: int) -> float:
    """Train and return the seconds of the timed steps."""
    content = json.loads(request.read_text())
    plain = content["settings"]
    root = None if plain["root"] is None else Path(plain["root"])
    settings = Settings(**{**plain, "models": tuple(plain["models"]), "root": root, "folder": Path(plain["folder"])})
    config = job(settings, content["model"], faces(settings, settings.num_images), *content["overrides"])

    def wait_for_others() -> None:
        _ready(request, index).touch()
        end = time.monotonic() + _WAIT_SECONDS
        while not all(_ready(request, other).exists() for other in range(content["num_jobs"])):
            if time.monotonic() > end:
                raise RuntimeError("the other processes of the benchmark did not start")
            time.sleep(_POLL_SECONDS)

    clock = StepClock(settings.warm_steps, wait_for_others)
    fit_ours(config, settings, resident=False, clock=clock)
    return clock.seconds


if __name__ == "__main__":
    trainers.quiet_libraries()
    print(_train(Path(sys.argv[1]), int(sys.argv[2])))
