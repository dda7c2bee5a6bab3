"""Checks of the methods' options; errors name the keys of `conf/loss`."""

import math

from agegender.system.errors import InputError


def check_choice(key: str, value: str, known: tuple[str, ...]) -> None:
    """Raise an InputError if a value of `loss.key` is not one of those known."""
    if value not in known:
        raise InputError(f"loss.{key}={value}: choose one of {', '.join(known)}")


def check_number(key: str, value: float, *, example: float, positive: bool = False, below: float = math.inf) -> None:
    """Raise an InputError if a value of `loss.key` is not a number, negative, or too large.

    Args:
        key: of `conf/loss`.
        value: what it is set to.
        example: a good value, for the message.
        positive: whether 0 is refused too.
        below: the value must be below this limit.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (is_number and 0 <= value < below and not (positive and value == 0)):
        limits = ("above 0" if positive else "of at least 0") + ("" if below == math.inf else f" and below {below:g}")
        raise InputError(f"loss.{key}={value}: choose a number {limits}, such as {example:g}")
