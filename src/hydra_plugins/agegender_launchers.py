"""Hydra's launchers `local` and `slurm`: Hydra looks for plugins here. What they do is in `agegender.sweeps.launch`."""

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


class _SweepLauncher(Launcher):
    def __init__(self, **options: Any) -> None:
        self._options = {
            key: OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
            for key, value in options.items()
        }

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self._context, self._config = hydra_context, config

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
