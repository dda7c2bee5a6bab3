"""What a multirun ends with, until its callback prints it."""

from dataclasses import dataclass, field

from hydra.types import HydraContext

from agegender.jobs.outcomes import Outcome


@dataclass
class SweepResult:
    """Filled by the launcher and the sweeper: Hydra gives a callback no return values at the end of a multirun.

    Attributes:
        outcomes: of the jobs, in the order in which they were launched.
        closing: lines that the output ends with.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    closing: list[str] = field(default_factory=list)


def result_of(context: HydraContext) -> SweepResult:
    """Return the result that the callback of a multirun holds; a new one, unread, where there is no such callback.

    Args:
        context: Hydra's, which launchers and sweepers are set up with.
    """
    for callback in context.callbacks.callbacks:
        result = getattr(callback, "result", None)
        if isinstance(result, SweepResult):
            return result
    return SweepResult()
