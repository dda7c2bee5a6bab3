"""Tests of the configuration's check, and of what makes two configurations different experiments."""

import copy
from typing import Any

import pytest
from composing import composed
from omegaconf import OmegaConf

from agegender.jobs import config as schema
from agegender.records import identity
from agegender.system.errors import InputError


@pytest.fixture(scope="module")
def defaults() -> dict[str, Any]:
    return composed()


def changed(config: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """A copy with another value of one key."""
    config = copy.deepcopy(config)
    node = config
    *parents, last = key.split(".")
    for parent in parents:
        node = node[parent]
    node[last] = value
    return config


def refusal(config: dict[str, Any]) -> str:
    with pytest.raises(InputError) as refused:
        schema.parse(config)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_the_defaults_pass(defaults: dict[str, Any]) -> None:
    schema.parse(defaults)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("data.batch_size", 0),
        ("data.batch_size", "foo"),
        ("data.batch_size", 1.5),
        ("data.batch_size", None),
        ("data.age_groups", "foo"),
        ("data.image_size", 0),
        ("data.image_size", 5000),
        ("data.limit", 0),
        ("data.limit", -5),
        ("data.max_skipped", 2),
        ("data.max_skipped", -0.1),
        ("data.leak_control", "maybe"),
        ("data.leak_control", 1),
        ("data.num_workers", -1),
        ("data.root", 5),
        ("data.root", ""),
        ("data.split_seed", -1),
        ("report.threshold_age", 0),
        ("report.challenge_age", -1),
        ("report.minors_passed", 0),
        ("report.minors_passed", 1.0),
        ("trainer.max_epochs", -3),
        ("trainer.max_epochs", 0),
        ("trainer.precision", "foo"),
        ("trainer.precision", 8),
        ("trainer.limit_train_batches", -1),
        ("trainer.limit_train_batches", 1.5),
        ("trainer.overfit_batches", "all"),
        ("trainer.deterministic", "foo"),
        ("trainer.accumulate_grad_batches", 0),
        ("trainer.gradient_clip_val", -1.0),
        ("trainer.profiler", "foo"),
        ("trainer.fast_dev_run", -1),
        ("seed", -1),
        ("seed", 2**32),
        ("seed", "foo"),
        ("name", 5),
        ("optimizer.lr", 0),
        ("optimizer.lr", -1e-3),
        ("optimizer.lr", "1e-3"),
        ("optimizer.lr", float("nan")),
        ("optimizer.lr", float("inf")),
        ("model.dropout", 1.5),
        ("model.dropout", 1.0),
        ("model.weights", True),
        ("loss.gender_weight", -1.0),
        ("loss.gender_weight", float("inf")),
        ("on_error", "maybe"),
        ("logger.wandb.mode", "foo"),
        ("logger.wandb.log_model", "all"),
        ("monitor", "val/foo"),
        ("early_stopping", 0),
        ("tags", "one"),
        ("runs_dir", None),
        ("resume", "yes"),
    ],
)
def test_a_wrong_value_is_refused_by_its_key_and_the_value(defaults: dict[str, Any], key: str, value: Any) -> None:
    told = refusal(changed(defaults, key, value))
    assert told.startswith(f"{key}={value}: ")
    assert len(told) > len(f"{key}={value}: ")


@pytest.mark.parametrize(
    "key",
    [
        *("seed", "data.batch_size", "data.image_size", "data.limit", "data.num_workers", "trainer.max_epochs"),
        *("trainer.limit_train_batches", "trainer.devices", "optimizer.lr", "model.dropout", "loss.gender_weight"),
        *("early_stopping", "data.max_skipped", "trainer.precision"),
    ],
)
def test_true_is_no_number(defaults: dict[str, Any], key: str) -> None:
    assert refusal(changed(defaults, key, True)).startswith(f"{key}=True: ")


@pytest.mark.parametrize("name", ["../x", "/abs", "", "a/../b", "a//b", "a/", ".", "a/./b", "tab\there"])
def test_a_name_that_would_leave_the_directory_of_runs_is_refused(defaults: dict[str, Any], name: str) -> None:
    told = refusal(changed(defaults, "name", name))
    assert told.startswith(f"name={name}: ") and "relative path" in told


@pytest.mark.parametrize("name", ["try", "ablation/lr", "a b", "run..2", "Übung"])
def test_a_name_below_the_directory_of_runs_passes(defaults: dict[str, Any], name: str) -> None:
    schema.parse(changed(defaults, "name", name))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("trainer.limit_train_batches", 5),
        ("trainer.limit_train_batches", 0.25),
        ("trainer.fast_dev_run", 3),
        ("trainer.precision", 16),
        ("trainer.devices", [0, 2]),
        ("trainer.devices", "auto"),
        ("trainer.deterministic", "warn"),
        ("data.max_skipped", 1),
        ("optimizer.lr", 1),
        ("data.limit", 1),
        ("model.dropout", 0.0),
        ("seed", 2**32 - 1),
        ("data.root", "UTKFace.tar"),
    ],
)
def test_a_value_at_the_edge_of_what_is_allowed_passes(defaults: dict[str, Any], key: str, value: Any) -> None:
    schema.parse(changed(defaults, key, value))


def test_keys_of_an_options_own_pass_through(defaults: dict[str, Any]) -> None:
    schema.parse(changed(defaults, "model.num_towers", 3))


@pytest.mark.parametrize("key", ["seed", "data.image_size", "model.weights", "trainer"])
def test_a_key_that_is_missing_is_named(defaults: dict[str, Any], key: str) -> None:
    config = copy.deepcopy(defaults)
    parent, _, last = key.rpartition(".")
    del (config[parent] if parent else config)[last]
    assert refusal(config) == f"{key} is missing: give it a value"


@pytest.mark.parametrize(("key", "value"), [("early_stopping", 3), ("search", {"trial": 0})])
def test_what_needs_a_validation_part_is_refused_without_one(defaults: dict[str, Any], key: str, value: Any) -> None:
    config = changed(changed(defaults, "data.train_part", "trainval"), key, value)
    assert "data.train_part=trainval leaves no validation, which" in refusal(config)


def test_all_mistakes_are_told_at_once(defaults: dict[str, Any]) -> None:
    told = refusal(changed(changed(defaults, "seed", -1), "data.batch_size", 0))
    assert "seed=-1: " in told and "data.batch_size=0: " in told


def test_a_configuration_does_not_differ_from_itself(defaults: dict[str, Any]) -> None:
    assert identity.differences(defaults, copy.deepcopy(defaults)) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("optimizer.lr", 0.5),
        ("optimizer.weight_decay", 0.5),
        ("trainer.max_epochs", 31),
        ("trainer.precision", "bf16-mixed"),
        ("trainer.limit_train_batches", 3),
        ("seed", 1),
        ("data.batch_size", 64),
        ("data.image_size", 128),
        ("data.age_groups", "strict"),
        ("data.leak_control", False),
        ("data.limit", 100),
        ("data.split_seed", 1),
        ("data.root", "other.tar"),
        ("data.split_file", "split.csv"),
        ("model.dropout", 0.1),
        ("model.weights", "w.pth"),
        ("loss.gender_weight", 2.0),
        ("monitor", "val/loss"),
        ("early_stopping", 5),
        ("ckpt_path", "a.ckpt"),
    ],
)
def test_a_change_of_the_experiment_is_told_with_both_values(defaults: dict[str, Any], key: str, value: Any) -> None:
    before = OmegaConf.select(OmegaConf.create(defaults), key)
    assert identity.differences(defaults, changed(defaults, key, value)) == [f"{key}={before}, now {value}"]
    assert identity.is_identity(key)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "other"),
        ("runs_dir", "/elsewhere"),
        ("resume", False),
        ("on_error", "stop"),
        ("tags", ["a"]),
        ("logger", {"csv": {"_target_": "lightning.pytorch.loggers.CSVLogger"}}),
        ("logger.wandb.project", "other"),
        ("data.num_workers", 3),
        ("data.cache", False),
        ("data.cache_dir", "/elsewhere"),
        ("data.max_skipped", 0.5),
        ("data.source.cache_dir", "/elsewhere"),
        ("trainer.enable_progress_bar", False),
        ("trainer.profiler", "simple"),
    ],
)
def test_how_and_where_a_job_runs_makes_no_other_experiment(defaults: dict[str, Any], key: str, value: Any) -> None:
    assert identity.differences(defaults, changed(defaults, key, value)) == []
    assert not identity.is_identity(key)


@pytest.mark.parametrize("key", ["names", "data.cached", "tagsx", "data.num_workers_per_core"])
def test_a_key_that_only_begins_like_an_exempt_one_counts(key: str) -> None:
    assert identity.is_identity(key)


@pytest.mark.parametrize("key", ["data.root", "data.split_file"])
def test_the_same_file_named_from_another_directory_is_no_difference(defaults: dict[str, Any], key: str) -> None:
    here = changed(defaults, key, "UTKFace.tar")
    there = changed(defaults, key, "/a/UTKFace.tar")
    assert identity.differences(here, there) == identity.differences(there, here) == []


def test_a_directory_with_and_without_a_slash_at_its_end_is_the_same(defaults: dict[str, Any]) -> None:
    assert identity.differences(changed(defaults, "data.root", "a/b/"), changed(defaults, "data.root", "b")) == []


def test_a_key_that_only_one_configuration_has_is_a_difference(defaults: dict[str, Any]) -> None:
    more = changed(defaults, "model.num_towers", 3)
    assert identity.differences(defaults, more) == ["model.num_towers=None, now 3"]
    assert identity.differences(more, defaults) == ["model.num_towers=3, now None"]


@pytest.mark.parametrize(
    ("groups", "reason"),
    [
        ("foo", "data.age_groups=foo: no such scheme; choose one of closed, nearest, strict"),
        ("[18,3]", "data.age_groups=[18, 3]: give the first year of each group, at least two, ascending, of 0 to 120"),
    ],
)
def test_age_groups_that_do_not_exist_are_named_once(groups: str, reason: str) -> None:
    with pytest.raises(InputError) as caught:
        schema.parse(composed(f"data.age_groups={groups}"))
    assert str(caught.value).startswith(reason)
