"""Which choices tell the runs of a sweep apart."""

from typing import Any

import pytest

from agegender.records.record import Record
from agegender.report.choices import choice_value, varying_choices


def run(seed: int = 1, **choices: Any) -> Record:
    config = {"seed": seed, "callbacks": {}} if choices.get("callbacks") == "none" else {"seed": seed}
    return Record("complete", "n", {"model": "vgg11", "loss": "plain", **choices}, config, seed)


@pytest.mark.parametrize(("group", "option"), [("callbacks", "none"), ("augment", "none"), ("schedule", "constant")])
def test_a_group_that_an_earlier_version_did_not_have_is_no_difference(group: str, option: str) -> None:
    before = run()
    after = run(2, **{group: option})
    assert varying_choices([before, after]) == []
    assert choice_value(before, group) == choice_value(after, group) == option


def test_another_option_of_such_a_group_is_one() -> None:
    assert varying_choices([run(), run(2, callbacks="early_stopping")]) == ["callbacks"]
    assert varying_choices([run(), run(2, augment="flip"), run(3, augment="none")]) == ["augment"]
