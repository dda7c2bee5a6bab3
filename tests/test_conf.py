"""Tests of conf/: every file composes and passes the check, and options of a group can stand in for each other."""

import inspect
import pydoc
import re
from itertools import pairwise, takewhile
from typing import Any

import pytest
from composing import compose_config, composed
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf
from paths import CONF

from agegender.jobs import build, run
from agegender.jobs import config as schema
from agegender.losses.classification import Classification
from agegender.records import identity
from agegender.sweeps.search.space import parse_space

GROUPS = ("data", "model", "loss", "optimizer", "schedule", "augment", "trainer", "logger")
OPTIONS = sorted(
    (path.parent.name, path.stem) for path in CONF.glob("*/*.yaml") if path.parent.name not in ("hydra", "site")
)


def plain(*overrides: str) -> dict[str, Any]:
    return OmegaConf.to_container(compose_config(*overrides), resolve=True, throw_on_missing=True)  # pyright: ignore


def options_of(group: str) -> list[str]:
    return [option for own, option in OPTIONS if own == group]


def test_every_file_of_conf_is_an_option_of_a_known_group_or_an_entry_point() -> None:
    found = {path.relative_to(CONF).as_posix() for path in CONF.rglob("*.yaml")} - {"site/slurm.yaml"}  # a site's own
    own = {
        "hydra/default.yaml",
        "hydra/eval.yaml",
        "hydra/launcher/local.yaml",
        "hydra/launcher/slurm.yaml",
        "hydra/sweeper/optuna.yaml",
    }
    assert found == {"train.yaml", "eval.yaml"} | own | {f"{group}/{option}.yaml" for group, option in OPTIONS}
    assert {group for group, _ in OPTIONS} == {*GROUPS, "callbacks", "experiment", "hparams_search", "without", "debug"}


@pytest.mark.parametrize(("group", "option"), OPTIONS, ids="/".join)
def test_every_option_composes_and_passes_the_check(group: str, option: str) -> None:
    schema.parse(plain(f"{group}={option}"))


@pytest.mark.parametrize("debug", options_of("debug"))
@pytest.mark.parametrize("experiment", options_of("experiment"))
def test_every_experiment_can_be_debugged(experiment: str, debug: str) -> None:
    config = plain(f"experiment={experiment}", f"debug={debug}")
    schema.parse(config)
    assert config["name"] == "debug" and config["resume"] is False


@pytest.mark.parametrize("search", options_of("hparams_search"))
def test_every_search_changes_nothing_but_the_name_and_searches_what_makes_another_experiment(search: str) -> None:
    assert identity.differences(plain(), plain(f"hparams_search={search}")) == []
    hydra = compose_config(f"hparams_search={search}", with_hydra=True).hydra
    assert hydra.mode.name == "MULTIRUN" and hydra.sweeper._target_.endswith("OptunaSweeper")
    space = parse_space(hydra.sweeper.params, [])
    assert set(hydra.sweeper.params) == set(space.distributions) and not space.fixed
    for edge in space.edges():
        schema.parse(plain(edge))


@pytest.mark.parametrize(("group", "option"), OPTIONS, ids="/".join)
def test_the_keys_of_a_file_stand_in_the_order_of_its_classs_signature(group: str, option: str) -> None:
    keys: Any = OmegaConf.to_container(OmegaConf.load(CONF / group / f"{option}.yaml"), resolve=False)
    if keys is None or "_target_" not in keys or "defaults" in keys:
        return
    order = [name for name in inspect.signature(pydoc.locate(keys["_target_"])).parameters if name in keys]  # pyright: ignore
    assert [key for key in keys if key in order] == order


@pytest.mark.parametrize(("group", "option"), OPTIONS, ids="/".join)
def test_a_file_begins_with_what_it_is_and_how_to_start_it(group: str, option: str) -> None:
    lines = (CONF / group / f"{option}.yaml").read_text().splitlines()
    head = list(takewhile(lambda line: line.startswith("#"), lines))
    assert f"{group}={option}" in " ".join(head) or (group, option) == ("data", "utkface")
    assert not any(re.search(r"±|\d %", line) for line in lines), "results belong into docs/results.md"


@pytest.mark.parametrize("group", ["data", "trainer", "augment"])
def test_all_options_of_a_group_have_the_same_keys(group: str) -> None:
    keys = {option: plain(f"{group}={option}")[group].keys() for option in options_of(group)}
    for first, second in pairwise(keys):
        assert keys[first] == keys[second], f"{first} and {second}"


@pytest.mark.parametrize(
    ("group", "key"),
    [
        ("model", "dropout"),
        ("model", "weights"),
        ("model", "compile"),
        ("loss", "gender_weight"),
        ("optimizer", "lr"),
        ("optimizer", "weight_decay"),
    ],
)
def test_every_option_has_the_keys_that_a_sweep_over_the_group_may_set(group: str, key: str) -> None:
    lacking = [option for option in options_of(group) if key not in plain(f"{group}={option}")[group]]
    assert lacking == []


@pytest.mark.parametrize("loss", options_of("loss"))
def test_every_method_that_classifies_ends_with_the_options_against_imbalance(loss: str) -> None:
    config = plain(f"loss={loss}")
    options = [key for key in inspect.signature(Classification).parameters if key not in ("num_outputs", "num_groups")]
    if isinstance(build.make_method(config), Classification):
        assert list(config["loss"])[-len(options) :] == options


def test_a_key_of_every_model_can_be_set_with_every_model() -> None:
    for model in options_of("model"):
        assert plain(f"model={model}", "model.dropout=0.25")["model"]["dropout"] == 0.25


def test_the_defaults_are_the_papers_protocol() -> None:
    config = plain()
    assert config["optimizer"]["_target_"] == "torch.optim.Adam"
    assert config["optimizer"]["lr"] == 1e-4
    assert config["data"]["batch_size"] == 32
    assert config["data"]["image_size"] == 256
    assert config["trainer"]["max_epochs"] == 30
    assert config["early_stopping"] is None


def test_no_optimizer_key_but_the_rate_departs_from_pytorchs_defaults() -> None:
    optimizer = plain()["optimizer"]
    assert (optimizer["betas"], optimizer["eps"], optimizer["weight_decay"]) == ([0.9, 0.999], 1e-8, 0.0)


@pytest.mark.parametrize("trainer", options_of("trainer"))
def test_every_trainer_trains_as_long_as_the_paper(trainer: str) -> None:
    assert plain(f"trainer={trainer}")["trainer"]["max_epochs"] == 30


def test_a_default_run_needs_no_data_set() -> None:
    data = plain()["data"]
    assert data["root"] is None and data["source"]["root"] is None and data["source"]["num_synthetic"] >= 1000


def test_one_key_tells_the_source_where_the_images_are() -> None:
    assert plain("data.root=/a/UTKFace.tar")["data"]["source"]["root"] == "/a/UTKFace.tar"


@pytest.mark.parametrize(
    ("experiment", "models"),
    [
        ("table2", {"small_cnn", "alexnet", "vgg11", "resnet18", "densenet161"}),
        ("demo", {"small_cnn", "small_cnn_pooled", "levi_hassner", "alexnet", "resnet18"}),
    ],
)
def test_an_experiment_sweeps_five_networks_and_two_losses_by_itself(experiment: str, models: set[str]) -> None:
    hydra = compose_config(f"experiment={experiment}", with_hydra=True).hydra
    assert hydra.mode.name == "MULTIRUN"
    assert sorted(hydra.sweeper.params.model.split(",")) == sorted(models)
    assert hydra.sweeper.params.loss.split(",") == ["plain", "weighted"]
    assert set(hydra.sweeper.params) == {"model", "loss"}


@pytest.mark.parametrize("without", options_of("without"))
def test_each_part_of_the_recipe_can_be_left_out_and_nothing_else_changes(without: str) -> None:
    whole = plain("experiment=fast")
    rest = plain("experiment=fast", f"without={without}")
    schema.parse(rest)
    changed = {difference.split("=")[0].split(".")[0] for difference in identity.differences(whole, rest)}
    assert len(changed) == (without != "nothing"), changed


def test_the_ablation_and_the_comparison_of_methods_leave_out_no_option() -> None:
    ablation = compose_config("experiment=ablation", with_hydra=True).hydra.sweeper.params
    assert sorted(ablation.without.split(",")) == options_of("without")
    methods = compose_config("experiment=methods", with_hydra=True).hydra.sweeper.params
    assert sorted(methods.loss.split(",")) == options_of("loss")


def test_the_balanced_experiment_is_the_best_one_with_another_decision() -> None:
    found = identity.differences(plain("experiment=best"), plain("experiment=balanced"))
    assert [difference.split("=")[0] for difference in found] == ["loss.adjust", "loss.logit_adjustment"]


def test_the_experiment_of_table_2_changes_nothing_of_the_protocol_but_its_name() -> None:
    assert identity.differences(plain(), plain("experiment=table2")) == []
    assert plain("experiment=table2")["name"] == "table2"


def test_the_losses_differ_in_the_weighting_alone() -> None:
    one = plain("loss=plain")["loss"]
    other = plain("loss=weighted")["loss"]
    assert {key for key in one if one[key] != other[key]} == {"weighting"}
    assert (one["weighting"], other["weighting"]) == ("none", "inverse")
    assert other["normalization"] == "images" and other["logit_adjustment"] == 0


def test_a_single_runs_directory_tells_its_name_model_loss_and_seed() -> None:
    config = compose_config("model=alexnet", "loss=weighted", "seed=3", "name=mine", "runs_dir=/r", with_hydra=True)
    config.hydra.runtime.choices = {"model": "alexnet", "loss": "weighted"}
    assert config.hydra.run.dir == "/r/mine/alexnet/weighted/3"


def test_hydras_own_groups_are_no_choices_of_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HydraConfig.instance(), "cfg", None)
    config = compose_config("experiment=demo", "hydra/launcher=local", with_hydra=True)
    assert config.hydra.runtime.choices.hydra == "default"
    HydraConfig.instance().set_config(config)
    assert not [key for key in run._choices() if key.startswith("hydra")]


def test_the_evaluation_has_every_key_that_it_may_override_set_to_nothing() -> None:
    request = composed(name="eval")
    training = plain()
    assert request["part"] == "test" and request["ckpt_path"] is None
    assert request["data"].keys() <= training["data"].keys() and request["trainer"].keys() <= training["trainer"].keys()
    assert set(request["data"].values()) == {None}


def test_the_demo_is_the_same_experiment_as_when_it_chose_synthetic_data() -> None:
    before = ("data=synthetic", "data.image_size=128", "data.source.num_synthetic=1000", "trainer.max_epochs=2")
    assert identity.differences(plain(*before, "data.batch_size=16"), plain("experiment=demo")) == []
