"""Many jobs that start at once on an empty cache. AGEGENDER_MANY_JOBS=50 for more of them, -s for what they took."""

import os
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slurm


def test_jobs_that_start_at_once_build_the_cache_once(cluster):
    number = int(os.environ.get("AGEGENDER_MANY_JOBS", "12"))
    seeds = ",".join(map(str, range(number)))
    began = time.monotonic()
    process = cluster.start(f"seed={seeds}", "trainer.max_epochs=1", "model.pause=0", "name=many")
    builds = set()
    most_files = 0
    while process.poll() is None:
        builds |= {path.name for path in cluster.folder.glob("cache/.*.npy.*.tmp")}
        builds |= {path.name for path in cluster.folder.glob("cache/.*.csv.*.tmp")}
        most_files = max(most_files, sum(_num_open(path) for path in _jobs()))
        time.sleep(0.02)
    output = process.communicate()[0]
    assert process.returncode == 0, output
    assert f"{number} jobs: {number} trained." in output
    assert len(list(cluster.folder.glob("cache/*.npy"))) == 1
    assert len({name.split("-")[0] for name in builds}) == len(builds), "a file of each kind, written once"
    print(f"{number} jobs in {time.monotonic() - began:.0f} s, {most_files} open files at most, {builds}")


def _jobs() -> list[Path]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if b"hydra.run.dir='runs/many/" in (path / "cmdline").read_bytes():
                found.append(path)
        except OSError:
            pass
    return found


def _num_open(process: Path) -> int:
    try:
        return len(os.listdir(process / "fd"))
    except OSError:
        return 0
