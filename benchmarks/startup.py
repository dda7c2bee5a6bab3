"""The time before the first training step, and of a sweep with nothing to do: whole commands, as started in a shell."""

import os
import subprocess
import sys
import time
from functools import partial

from benchmarks.measure import Row, compare
from benchmarks.subject import Settings, checkout, faces

TEN_JOBS = (
    "-m",
    "model=levi_hassner",
    "loss=plain,weighted",
    "seed=0,1,2,3,4",
    "data.source.num_synthetic=120",
    "data.image_size=35",
    "trainer.max_epochs=1",
    "logger=none",
    "trainer.enable_progress_bar=false",
)


def commands(settings: Settings) -> list[Row]:
    """Time commands that should answer at once, and the imports that every training needs."""
    root = faces(settings, settings.num_images)
    train = str(checkout() / "train.py")
    first_step = [
        sys.executable,
        str(checkout() / "benchmarks" / "first_step.py"),
        train,
        f"data.root={root}",
        f"data.cache_dir={settings.folder / 'cache'}",
        f"runs_dir={settings.folder / 'runs'}",
        "resume=false",
    ]
    variants = {
        "import torch, lightning": [sys.executable, "-c", "import torch, lightning"],
        "agegender --help": [sys.executable, "-m", "agegender.cli", "--help"],
        "train.py --cfg job": [sys.executable, train, "--cfg", "job"],
        "train.py to its first step": first_step,
        "train.py to its first step, logger=none": [*first_step, "logger=none"],
    }
    rows = compare(
        "start-up",
        {name: partial(_seconds, command, settings) for name, command in variants.items()},
        unit="s",
        base="import torch, lightning",
        repeats=settings.repeats,
    )
    imports = rows[0].values
    beyond = [
        Row("start-up beyond the imports", row.variant, "s", [a - b for a, b in zip(row.values, imports, strict=True)])
        for row in rows
        if "first step" in row.variant
    ]
    return rows + beyond


def complete_sweep(settings: Settings) -> list[Row]:
    """Time the first run of a sweep of ten jobs, and running the same command again."""
    command = [sys.executable, str(checkout() / "train.py"), *TEN_JOBS, f"runs_dir={settings.folder / 'runs'}"]
    command += ["name=ten", f"data.cache_dir={settings.folder / 'cache'}"]
    first = _seconds(command, settings)
    second_run = {"run again": partial(_seconds, command, settings)}
    title = "a complete sweep of ten jobs"
    rows = [Row(title, "first run", "s", [first], note="tiny jobs: 120 synthetic faces, 35 px, one epoch")]
    return rows + compare(title, second_run, unit="s", base="run again", repeats=settings.repeats, warmup=0)


def _seconds(command: list[str], settings: Settings) -> float:
    environment = {**os.environ, "WANDB_MODE": "offline", "WANDB_SILENT": "true"}
    start = time.perf_counter()
    done = subprocess.run(command, cwd=settings.folder, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-2000:]}"
    return seconds
