"""The space of a search, in the grammar of Hydra's overrides: intervals, ranges and choices, each of one key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep, Sweep
from hydra.errors import HydraException

from agegender.jobs.trial import import_optuna
from agegender.records import identity
from agegender.system.errors import InputError, first_line

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

_DIGITS = 6  # significant ones of a searched number: enough for any training, and short in paths and best.yaml


@dataclass(frozen=True)
class Space:
    """What is searched, and what every trial has in common.

    Attributes:
        fixed: overrides of every trial.
        distributions: Optuna's, by the key of an override.
    """

    fixed: list[str]
    distributions: "dict[str, BaseDistribution]"

    def overrides(self, values: Mapping[str, Any]) -> list[str]:
        """Write the values of a trial as overrides."""
        return [f"{key}={self._text(key, values[key])}" for key in self.distributions]

    def edges(self) -> list[str]:
        """Return overrides with every bound and every choice: if these are valid, so are the values between them."""
        found = []
        for key, distribution in self.distributions.items():
            choices = getattr(distribution, "choices", None)
            values = choices or (distribution.low, distribution.high)  # pyright: ignore[reportAttributeAccessIssue]
            found += [f"{key}={self._text(key, value)}" for value in values]
        return found

    def _text(self, key: str, value: Any) -> str:
        if not isinstance(value, float):
            return str(value)
        distribution: Any = self.distributions[key]
        rounded = float(f"{value:.{_DIGITS}g}")
        return repr(min(max(rounded, distribution.low), distribution.high))


def parse_space(params: Mapping[str, Any], arguments: Sequence[str], loader: ConfigLoader | None = None) -> Space:
    """Read a space.

    Args:
        params: of the configuration; None leaves a key out.
        arguments: overrides of the command line, which come after it.
        loader: finds the options that `glob` means.

    Raises:
        InputError: the grammar does not allow it, or it cannot or must not be searched.
    """
    texts = [f"{key}={value}" for key, value in params.items() if value is not None]
    try:
        parsed = OverridesParser.create(config_loader=loader).parse_overrides([*texts, *arguments])
    except HydraException as error:
        raise InputError(f"the search space (hydra.sweeper.params): {first_line(error)}") from error
    last = {override.get_key_element(): override for override in parsed}
    swept = {key: override for key, override in last.items() if override.is_sweep_override()}
    if not swept:
        raise InputError("nothing to search; give a key several values, such as 'optimizer.lr=interval(1e-4, 1e-2)'")
    fixed = [str(override.input_line) for key, override in last.items() if key not in swept]
    return Space(fixed, {key: _distribution(override) for key, override in sorted(swept.items())})


def _distribution(override: Override) -> "BaseDistribution":
    key = override.key_or_group
    text = str(override.input_line)
    if key == "seed" or not identity.is_identity(key):
        reason = "its values do not make different experiments"
        if key == "seed":
            reason = "the luckiest seed is not a result; train the best configuration with several seeds"
        raise InputError(f"{text}: {key} cannot be searched: {reason}")
    value = override.value()
    tags = value.tags if isinstance(value, Sweep) else set()
    if tags - {"log"}:
        raise InputError(f"{text}: unknown tag {', '.join(sorted(tags - {'log'}))}; a search supports only log")
    try:
        if isinstance(value, IntervalSweep):
            return _interval(value)
        if isinstance(value, RangeSweep):
            return _range(override, value)
        return _choice(override)
    except (ValueError, HydraException) as error:
        raise InputError(f"{text}: {first_line(error)}") from error


def _interval(value: IntervalSweep) -> "BaseDistribution":
    distributions = import_optuna().distributions
    log = "log" in value.tags
    low = value.start
    high = value.end
    assert low is not None and high is not None
    if low >= high:
        raise ValueError(f"an interval from {low} to {high} is empty")
    if log and low <= 0:
        raise ValueError(f"a logarithmic interval cannot begin at {low}")
    if isinstance(low, int) and isinstance(high, int):
        return distributions.IntDistribution(low, high, log=log)
    return distributions.FloatDistribution(float(low), float(high), log=log)


def _range(override: Override, value: RangeSweep) -> "BaseDistribution":
    """Return a range without its end, as a grid has it."""
    distributions = import_optuna().distributions
    if "log" in value.tags:
        raise ValueError("a range has equal steps; tag(log, int(interval(...))) has none")
    values: list[Any] = sorted(override.sweep_iterator())  # pyright: ignore[reportArgumentType]
    if not values:
        raise ValueError("the range is empty")
    step = abs(value.step)
    if all(isinstance(item, int) for item in values):
        return distributions.IntDistribution(values[0], values[-1], step=int(step))
    low = float(f"{values[0]:.12g}")  # without the rounding errors of summed steps, such as 0.30000000000000004
    high = float(f"{values[-1]:.12g}")
    return distributions.FloatDistribution(low, high, step=float(step))


def _choice(override: Override) -> "BaseDistribution":
    """As text: what an override may say, Optuna need not be able to store."""
    choices = list(dict.fromkeys(override.sweep_string_iterator()))
    if "log" in getattr(override.value(), "tags", ()):
        raise ValueError("choices have no logarithmic scale; use tag(log, interval(...))")
    if not choices:
        raise ValueError("there is nothing to choose from")
    return import_optuna().distributions.CategoricalDistribution(choices)
