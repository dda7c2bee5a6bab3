"""`agegender bench`: each benchmark runs on a few synthetic faces and reports what it measured."""

import json
from functools import partial
from pathlib import Path

import pytest
import torch

from agegender.cli import main
from benchmarks import BENCHMARKS, startup
from benchmarks.subject import Settings, faces

TINY = ("--models", "levi_hassner", "--image-size", "35", "--batch-size", "4", "--steps", "1", "--repeats", "1")


@pytest.fixture(autouse=True)
def as_it_was():
    yield
    torch.use_deterministic_algorithms(False)


def rows_of(name: str, folder: Path) -> dict[str, dict]:
    assert main(["bench", name, *TINY, "--out", str(folder)]) == 0
    return {row["variant"]: row for row in json.loads((folder / f"{name}.json").read_text())["rows"]}


@pytest.mark.parametrize(
    ("name", "variants"),
    [
        ("fit", {"reference", "ours"}),
        ("epoch", {"one resident batch", "the data"}),
        ("cost", {"levi_hassner"}),
        ("step", {"float32", "bfloat16", "float32, NCHW", "+ channels last", "+ bfloat16", "+ fused Adam"}),
    ],
)
def test_a_benchmark_gives_a_rate_of_every_variant(name: str, variants: set[str], tmp_path: Path) -> None:
    rows = rows_of(name, tmp_path)
    assert rows.keys() == variants
    assert all(row["values"][0] > 0 and row["unit"].endswith("/s") for row in rows.values())
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.json"]  # temporary files are removed


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
