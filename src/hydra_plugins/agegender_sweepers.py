"""Hydra's sweeper `optuna`: Hydra looks for plugins here. What it does is in `agegender.sweeps.search`.

The package hydra-optuna-sweeper needs an Optuna older than 3.
"""

from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


class OptunaSweeper(Sweeper):
    """Chooses the values of each trial by those before it."""

    def __init__(self, **options: Any) -> None:
        self._options = {
            key: OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
            for key, value in options.items()
        }

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from hydra.core.plugins import Plugins

        self.hydra_context = hydra_context
        self.config = config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        from agegender.sweeps.search.search import search

        assert self.config is not None and self.hydra_context is not None and self.launcher is not None
        return search(self._options, self.config, self.hydra_context, self.launcher, arguments)
