"""`agegender bench`: each benchmark runs on a few synthetic faces and reports what it measured."""

import json
from functools import partial
from pathlib import Path

import pytest
import torch

from agegender.cli import main
from agegender.training.precision import choose_precision
from benchmarks import BENCHMARKS, gpu, startup
from benchmarks.subject import Settings, faces

TINY = ("--models", "levi_hassner", "--image-size", "35", "--batch-size", "4", "--steps", "1", "--repeats", "1")


@pytest.fixture(autouse=True)
def as_it_was():
    yield
    torch.use_deterministic_algorithms(False)


# A rate that is emulated says nothing, and takes minutes.
_BFLOAT16 = {"bfloat16", "+ bfloat16"} if choose_precision("auto", "cpu") == "bf16-mixed" else set()


def rows_of(name: str, folder: Path, *options: str) -> dict[str, dict]:
    assert main(["bench", name, *TINY, "--out", str(folder), *options]) == 0
    return {row["variant"]: row for row in json.loads((folder / f"{name}.json").read_text())["rows"]}


@pytest.mark.parametrize(
    ("name", "variants"),
    [
        ("fit", {"reference", "ours"}),
        ("epoch", {"one resident batch", "the data"}),
        ("cost", {"levi_hassner"}),
        ("step", {"float32", "float32, NCHW", "+ channels last", "+ fused Adam"} | _BFLOAT16),
    ],
)
def test_a_benchmark_gives_a_rate_of_every_variant(name: str, variants: set[str], tmp_path: Path) -> None:
    rows = rows_of(name, tmp_path)
    assert rows.keys() == variants
    assert all(row["values"][0] > 0 and row["unit"].endswith("/s") for row in rows.values())
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.json"]  # temporary files are removed


def test_a_gpus_benchmarks_run_with_the_cpu_in_its_place(tmp_path: Path) -> None:
    rows = rows_of("gpu", tmp_path / "out", "--device", "cpu", "--steps", "3", "--work", str(tmp_path / "work"))
    assert {"bare loop", "fit", "fit, no autotuner", "reference"} <= rows.keys()
    assert rows["bare loop: operators of the CPU"]["median"] > 100
    assert rows["fit: operators of the CPU"]["median"] > rows["bare loop: operators of the CPU"]["median"]
    assert rows["fit: busy share"]["median"] > 0
    assert rows["write"]["note"].endswith("MB") and rows["write"]["median"] > 0
    assert [path.name for path in (tmp_path / "work").glob("faces-*")]  # for further calls


def test_jobs_that_share_a_device_start_their_timed_steps_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "MAX_JOBS_PER_GPU", 2)
    rows = rows_of("gpu_jobs", tmp_path, "--device", "cpu", "--steps", "2")
    assert rows.keys() == {"1 job", "2 jobs"}
    assert all(row["median"] > 0 for row in rows.values())


def test_commands_are_timed_as_the_shell_sees_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one_job = [item.replace("plain,weighted", "plain").replace("0,1,2,3,4", "0") for item in startup.TEN_JOBS]
    monkeypatch.setattr(startup, "TEN_JOBS", one_job)
    monkeypatch.setattr(startup, "compare", partial(startup.compare, warmup=0))  # each command once
    rows = rows_of("startup", tmp_path)
    assert {"import torch, lightning", "agegender --help", "train.py --cfg job", "run again"} <= rows.keys()
    assert all(row["median"] > 0 for name, row in rows.items() if "first step" not in name)


def test_the_sample_is_the_same_each_time_and_copies_are_other_files(tmp_path: Path) -> None:
    settings = Settings(None, ("resnet18",), 35, 4, 1, 1, False, tmp_path)
    once = faces(settings, 5)
    thrice = faces(settings, 5, copies=3)
    assert len(list(once.iterdir())) == 5 and len(list(thrice.iterdir())) == 15
    names = {path.name for path in once.iterdir()}
    assert names <= {path.name for path in thrice.iterdir()}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["speed"], "no benchmark speed"),
        (["fit", "--steps", "0"], "must be 1 or more"),
        (["fit", "--root", "nowhere"], "nowhere does not exist"),
    ],
)
def test_a_mistake_is_one_line_and_code_2(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *arguments, "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error


def test_every_benchmark_is_explained() -> None:
    assert all(BENCHMARKS.values())


def test_the_cost_of_a_step_beyond_its_kernels_is_the_sum_of_its_parts(tmp_path: Path) -> None:
    rows = rows_of("overhead", tmp_path)
    assert len(rows) == 7 and {row["unit"] for row in rows.values()} == {"µs"}
    assert all(row["median"] > 0 for row in rows.values())
    loop = next(value for name, value in rows.items() if "Lightning's loop" in name)
    assert loop["median"] > rows["forward, loss, backward and optimizer alone"]["median"]
