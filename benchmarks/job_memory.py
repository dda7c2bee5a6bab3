"""Peak memory of a whole job, as its data grows: the process's own, without the pages of the cache's file."""

import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from agegender.system.errors import InputError
from benchmarks.data import GROWTH_MODEL, GROWTH_SIZE
from benchmarks.measure import Row, compare
from benchmarks.subject import Settings, checkout, faces

_PAUSE_SECONDS = 0.02  # between two readings


def peak_memory(settings: Settings, num_images: int, factor: int = 10) -> list[Row]:
    """Compare the peak memory of `train.py`, from scan to test, on some data and on `factor` times as much."""
    if not Path("/proc/self/status").exists():
        raise InputError("peak memory is read from /proc, which this system does not have; choose other benchmarks")
    small = settings.at(GROWTH_SIZE)
    roots = {f"{times * num_images:,} images": faces(small, num_images, copies=times) for times in (1, factor)}
    return compare(
        f"peak memory of a job, {GROWTH_MODEL}, {GROWTH_SIZE} px",
        {name: partial(_peak, small, root) for name, root in roots.items()},
        unit="MB",
        base=next(iter(roots)),
        repeats=min(settings.repeats, 3),
        warmup=0,
        notes={name: "anonymous memory, without the cache's pages" for name in roots},
    )


def _peak(settings: Settings, root: Path) -> float:
    command = [
        sys.executable,
        str(checkout() / "train.py"),
        f"model={GROWTH_MODEL}",
        f"data.root={root}",
        "logger=none",
        "resume=false",
        f"runs_dir={settings.folder / 'runs'}",
        "trainer.max_epochs=1",
        "trainer.limit_train_batches=20",
        "data.leak_control=false",
        f"data.image_size={GROWTH_SIZE}",
        "trainer.enable_progress_bar=false",
        f"data.cache_dir={settings.folder / 'cache'}",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, _own_megabytes(process.pid))
        time.sleep(_PAUSE_SECONDS)
    assert process.returncode == 0, f"{command} ended with {process.returncode}"
    return peak


def _own_megabytes(pid: int) -> float:
    """Return the anonymous and shared memory of a process in MB; 0 if it has just ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) / 1000 for line in lines if line.startswith(("RssAnon:", "RssShmem:")))
