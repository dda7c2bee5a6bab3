"""Hydra's launchers `local` and `slurm`, and one around each launcher: Hydra looks for plugins here.

What they do is in `agegender.sweeps.launch`.
"""

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict


class _SweepLauncher(Launcher):
    def __init__(self, **options: Any) -> None:
        self._options = {
            key: OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
            for key, value in options.items()
        }

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self._context = hydra_context
        self._config = config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        from agegender.sweeps.launch import launchers

        run = getattr(launchers, self._run)
        return run(self._options, self._config, self._context, job_overrides, initial_job_idx)

    _run: str


class LocalLauncher(_SweepLauncher):
    """Several processes on this machine."""

    _run = "launch_local"


class SlurmLauncher(_SweepLauncher):
    """An array of Slurm jobs."""

    _run = "launch_slurm"


class CollectingLauncher(Launcher):
    """Runs jobs by another launcher, Hydra's own or any plugin's, and hands on how each of them ended.

    The callback of a sweep puts it around the launcher that the user chose.

    Args:
        launcher: configuration of that launcher.
    """

    def __init__(self, launcher: DictConfig) -> None:
        self._chosen = launcher

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from hydra.core.plugins import Plugins

        with open_dict(config):  # from here on, in multirun.yaml too, the configuration is as the user chose it
            config.hydra.launcher = self._chosen
        self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )
        self._context = hydra_context
        self._config = config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        from agegender.sweeps.launch import collect

        return collect.launch(self._launcher, self._config, self._context, job_overrides, initial_job_idx)
