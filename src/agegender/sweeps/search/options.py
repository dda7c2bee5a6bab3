"""The settings of a search: the keys of `conf/hydra/sweeper/optuna.yaml`."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agegender.jobs.combinations import is_lower_better
from agegender.jobs.schema import MONITORS
from agegender.system.errors import InputError

# Records hold no values of these two losses, neither per epoch nor of the best one.
METRICS = tuple(name for name in MONITORS if name not in ("val/age_loss", "val/gender_loss"))

_Count = Annotated[int, Field(ge=1)]


class Options(BaseModel):
    """Types and ranges of the keys; their meaning stands beside the defaults in the file."""

    model_config = ConfigDict(strict=True, extra="forbid")

    n_trials: _Count
    n_jobs: _Count
    sampler: Literal["tpe", "random"]
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    metric: Literal[METRICS]  # pyright: ignore[reportInvalidTypeForm]
    direction: Literal["maximize", "minimize"] | None
    pruner: Literal["median", "none"]
    warmup_trials: Annotated[int, Field(ge=0)]
    warmup_epochs: Annotated[int, Field(ge=0)]
    params: dict[str, Any] | None

    @property
    def better(self) -> str:
        """The direction, by the metric where none is given."""
        if self.direction is not None:
            return self.direction
        return "minimize" if is_lower_better(self.metric) else "maximize"


def read_options(given: dict[str, Any]) -> Options:
    """Check what the sweeper was given.

    Raises:
        InputError: names the keys that are wrong.
    """
    try:
        return Options.model_validate(given)
    except ValidationError as error:
        mistakes = [
            f"hydra.sweeper.{'.'.join(map(str, mistake['loc']))}={mistake['input']}: {mistake['msg']}"
            for mistake in error.errors()
        ]
        raise InputError("; ".join(mistakes)) from error
