"""The message of a refusal."""

from collections.abc import Callable

import pytest

from agegender.system.errors import InputError


def refusal(action: Callable[[], object]) -> str:
    """Return the message by which an action is refused, and check that it is an InputError of one line."""
    with pytest.raises(InputError) as refused:
        action()
    assert "\n" not in str(refused.value)
    return str(refused.value)
