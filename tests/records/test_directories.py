"""The directory of a job: it follows from the choices, needs no quotes, and those of earlier versions are found."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from agegender.records.directories import chosen_path, find_directory, has_old_names, old_names
from agegender.records.record import Record, write

BASE = Path("default/small_cnn/plain/0")
CONFIG: dict[str, Any] = {
    "optimizer": {"lr": 1e-4},
    "data": {"batch_size": 32, "root": None},
    "trainer": {"max_epochs": 30},
}


def config(**changes: Any) -> dict[str, Any]:
    changed = {key: dict(value) if isinstance(value, dict) else value for key, value in CONFIG.items()}
    for key, value in changes.items():
        group, _, name = key.partition("__")
        if name:
            changed[group][name] = value
        else:
            changed[group] = value
    return changed


def trained(folder: Path, status: str = "complete", **changes: Any) -> Path:
    write(folder, Record(status=status, name="default", choices={}, config=config(**changes), seed=0))
    return folder


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, "."),
        ({"optimizer.lr": 0.001}, "optimizer.lr-0.001"),
        ({"schedule": "cosine", "optimizer.lr": 1e-5}, "optimizer.lr-1e-05+schedule-cosine"),
        ({"early_stopping": None, "test_time_flip": True}, "early_stopping-null+test_time_flip-true"),
        ({"model.strides": [3, 1, 1]}, "model.strides-3-1-1"),
        ({"optimizer.lr": 1e16}, "optimizer.lr-1e16"),
        ({"augment.mixup": -1}, "augment.mixup--1"),
    ],
)
def test_a_directory_names_what_was_chosen(chosen: dict[str, Any], expected: str) -> None:
    assert chosen_path(chosen) == Path(expected)


@pytest.mark.parametrize(
    "value",
    [
        "a=b",
        "~/x",
        "two words",
        "(1)",
        "日本",
        "a'b",
        "$HOME",
        "a,b",
        "x" * 500,
        "a/b/../c",
        1e300,
        [0.1, "a b"],
        {"a": 1},
    ],
)
def test_a_directory_needs_no_quotes_in_a_shell_or_in_hydra(value: Any) -> None:
    path = chosen_path({"model.weights": value, "optimizer.lr": 1e-3, "hydra/odd group": "x"})
    assert shlex.quote(f"ckpt_path=runs/{path}") == f"ckpt_path=runs/{path}"
    assert re.fullmatch(r"[A-Za-z0-9._+/-]+", str(path))
    override = OverridesParser.create().parse_override(f"ckpt_path=runs/try/{path}/checkpoints/best.ckpt")
    assert override.value() == f"runs/try/{path}/checkpoints/best.ckpt" and not override.is_sweep_override()
    assert all(len(part) <= 255 for part in path.parts) and ".." not in path.parts


def test_values_that_look_alike_have_different_directories() -> None:
    paths = {chosen_path({"model.weights": value}) for value in ("a=b", "a-b", "a b", "x" * 90 + "1", "x" * 90 + "2")}
    assert len(paths) == 5


def test_many_choices_are_several_names() -> None:
    path = chosen_path({f"augment.option_with_a_long_name_{number}": 0.123456 for number in range(20)})
    assert len(path.parts) > 1 and all(len(part) <= 255 for part in path.parts)


def test_two_learning_rates_are_two_directories_whichever_came_first(tmp_path: Path) -> None:
    base = tmp_path / BASE
    for rate in (1e-3, 1e-4):
        folder = find_directory(base, {"optimizer.lr": rate}, config(optimizer__lr=rate))
        assert folder == base / f"optimizer.lr-{rate}"
        trained(folder, optimizer__lr=rate)
    assert find_directory(base, {}, config(optimizer__lr=3e-4)) == base


def test_what_the_runs_of_a_name_share_is_in_the_path_only_where_another_run_differs(tmp_path: Path) -> None:
    base = tmp_path / BASE
    first = {"data.batch_size": 16, "trainer.max_epochs": 5}
    assert find_directory(base, first, config(data__batch_size=16, trainer__max_epochs=5)) == base
    trained(base, data__batch_size=16, trainer__max_epochs=5)
    second = {"data.batch_size": 8}
    other = find_directory(base, second, config(data__batch_size=8))
    assert other == base / "data.batch_size-8"
    trained(other, data__batch_size=8)
    assert find_directory(base, second, config(data__batch_size=8)) == other
    assert find_directory(base, first, config(data__batch_size=16, trainer__max_epochs=5)) == base


@pytest.mark.parametrize("status", ["complete", "running", "failed"])
def test_a_run_of_an_earlier_version_is_found_where_it_is(tmp_path: Path, status: str) -> None:
    base = trained(tmp_path / BASE, status, optimizer__lr=1e-3)
    assert find_directory(base, {"optimizer.lr": 1e-3}, config(optimizer__lr=1e-3)) == base
    assert find_directory(base, {"optimizer.lr": 1e-2}, config(optimizer__lr=1e-2)) == base / "optimizer.lr-0.01"


def test_a_directory_names_of_what_runs_share_only_what_differs(tmp_path: Path) -> None:
    base = tmp_path / BASE
    shared = {"data.root": "faces", "data.batch_size": 16, "trainer.max_epochs": 5}

    def place(**changes: Any) -> Path:
        changes = {"data__root": "faces", "data__batch_size": 16, "trainer__max_epochs": 5, **changes}
        chosen = {key: changes.get(key.replace(".", "__"), value) for key, value in shared.items()}
        folder = find_directory(base, chosen, config(**changes))
        return trained(folder, **changes).relative_to(base)

    places = [
        Path(),
        Path("data.batch_size-8"),
        Path("trainer.max_epochs-6"),
        Path("data.batch_size-8+trainer.max_epochs-6"),
    ]
    given = [{}, {"data__batch_size": 8}, {"trainer__max_epochs": 6}, {"data__batch_size": 8, "trainer__max_epochs": 6}]
    assert [place(**changes) for changes in given] == places
    assert [place(**changes) for changes in given] == places  # and are found again


def test_a_run_in_the_directory_of_all_choices_is_found_there(tmp_path: Path) -> None:
    base = tmp_path / BASE
    trained(base)
    chosen = {"data.root": "faces", "data.batch_size": 16}
    full = trained(base / chosen_path(chosen), data__root="faces", data__batch_size=16)
    assert find_directory(base, chosen, config(data__root="faces", data__batch_size=16)) == full


def test_a_run_that_failed_before_its_first_checkpoint_leaves_its_place_to_another(tmp_path: Path) -> None:
    base = trained(tmp_path / BASE, "failed", data__root="typo")
    assert find_directory(base, {"data.root": "faces"}, config(data__root="faces")) == base


def test_resume_false_replaces_what_is_there(tmp_path: Path) -> None:
    base = trained(tmp_path / BASE)
    new = config(trainer__max_epochs=2)
    assert find_directory(base, {"trainer.max_epochs": 2}, new, resume=False) == base


def test_a_sweep_of_an_earlier_version_keeps_its_names(tmp_path: Path) -> None:
    keys = ["optimizer", "optimizer.lr"]
    assert not has_old_names(tmp_path, keys)
    (tmp_path / "small_cnn/plain/0/optimizer=sgd,optimizer.lr=0.1").mkdir(parents=True)
    assert has_old_names(tmp_path, keys) and not has_old_names(tmp_path, ["optimizer"])
    expected = "optimizer=${hydra.runtime.choices.optimizer},optimizer.lr=${optimizer.lr}"
    assert old_names(keys, {"optimizer": "sgd"}) == expected
