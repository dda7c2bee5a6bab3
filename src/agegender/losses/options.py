"""Checks of the options that methods take, told under the keys of `conf/loss`."""

import math

from agegender.system.errors import InputError


def check_choice(key: str, value: str, known: tuple[str, ...]) -> None:
    """Refuse a value of `loss.key` that is not one of those known, with an InputError."""
    if value not in known:
        raise InputError(f"loss.{key}={value}: choose one of {', '.join(known)}")


def check_number(key: str, value: float, *, example: float, positive: bool = False, below: float = math.inf) -> None:
    """Refuse a value of `loss.key` that is no number of at least 0, or above it, or not below a limit; InputError."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (is_number and 0 <= value < below and not (positive and value == 0)):
        limits = ("above 0" if positive else "of at least 0") + ("" if below == math.inf else f" and below {below:g}")
        raise InputError(f"loss.{key}={value}: choose a number {limits}, such as {example:g}")
