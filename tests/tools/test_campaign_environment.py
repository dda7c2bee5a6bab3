"""Whether a machine has what the project needs."""

from campaign_environment import unmet


def test_what_is_missing_or_too_old_is_named_and_what_is_not_needed_is_not() -> None:
    wanted = ["torch>=2.11", "no-such-package>=1", "pytest<1", "wandb>=99", 'no-such-extra; extra == "more"']
    assert [reason.split()[0] for reason in unmet(wanted)] == ["no-such-package>=1", "pytest"]
