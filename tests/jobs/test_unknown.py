"""Tests of unknown keys: refused with what was probably meant, unless something reads them."""

from typing import Any

import pytest
from composing import compose_config

from agegender.jobs import config as schema
from agegender.jobs.run import resolve
from agegender.jobs.unknown import refuse_unknown
from agegender.system.errors import InputError


def resolved(*overrides: str) -> dict[str, Any]:
    return resolve(compose_config(*overrides)).plain


@pytest.mark.parametrize(
    ("override", "meant"),
    [
        ("+lerning_rate=1", ""),
        ("+sed=3", "seed"),
        ("+max_epochs=3", "trainer.max_epochs"),
        ("+optimizer_lr=1", "optimizer.lr"),
        ("+test_time_flips=true", "test_time_flip"),
        ("+logger.projekt=mine", "logger.wandb.project"),
        ("+report.treshold_age=21", "report.threshold_age"),
        ("+search.trail=1", "search.trial"),
        ("+optimzer.lr=1", "did you mean optimizer.lr?"),
    ],
)
def test_a_typo_behind_a_plus_is_refused_with_what_was_meant(override: str, meant: str) -> None:
    with pytest.raises(InputError) as refused:
        resolved(override)
    assert f"{override[1:].replace('true', 'True')}: there is no such key" in str(refused.value)
    assert meant in str(refused.value)


def test_a_key_that_another_value_refers_to_is_read() -> None:
    assert resolved("+side=64", "data.image_size=${side}")["data"]["image_size"] == 64
    assert resolved("+own.side=64", "data.image_size=${own.side}")["data"]["image_size"] == 64


def test_a_project_that_wandb_would_refuse_is_refused_before_any_training() -> None:
    with pytest.raises(InputError, match=r"logger\.wandb\.project=team/faces: .*logger\.wandb\.entity= is its team"):
        resolved("logger=wandb", "logger.wandb.project=team/faces")


def test_the_keys_of_a_search_trial_and_of_options_are_known() -> None:
    assert resolved("++search.trial=3")["search"] == {"trial": 3}
    assert resolved("+trainer.max_steps=3")["trainer"]["max_steps"] == 3


def test_all_unknown_keys_are_named_at_once() -> None:
    with pytest.raises(InputError, match=r"a=1.*logger\.b=2"):
        refuse_unknown({"a": 1, "logger": {"b": 2, "wandb": {}}}, schema.known_keys())
