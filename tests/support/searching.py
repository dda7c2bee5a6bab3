"""Searches without training: the launcher writes the records that jobs would write."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import JobReturn, JobStatus
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf
from paths import CONF

from agegender.jobs.outcomes import Outcome, exit_code
from agegender.jobs.run import resolve
from agegender.jobs.stop_flag import stop_flag
from agegender.jobs.trial import OpenStudy
from agegender.records import record
from agegender.records.record import Record
from agegender.sweeps.callback import Sweep
from agegender.sweeps.search.search import search

SPACE = {"optimizer.lr": "tag(log, interval(1e-4, 1e-2))"}

Job = Callable[[dict[str, Any]], float | str]  # configuration -> score, or how the job ends


class KnownCompositions:
    """A cache for Hydra's loader, which takes 0.1 s per call: most tests compose the same configurations."""

    def __init__(self) -> None:
        self._loader: Any = None
        self._known: dict[tuple[str, ...], Any] = {}

    def using(self, loader: Any) -> "KnownCompositions":
        self._loader = loader
        return self

    def load_sweep_config(self, config: DictConfig, overrides: list[str]) -> DictConfig:
        key = (*config.hydra.overrides.hydra, *overrides)
        return self._once(key, lambda: self._loader.load_sweep_config(config, overrides))

    def load_configuration(self, name: str, overrides: list[str], mode: Any) -> DictConfig:
        return self._once((name, *overrides), lambda: self._loader.load_configuration(name, overrides, mode))

    def compose(self, overrides: list[str]) -> DictConfig:
        return deepcopy(self._once(("compose", *overrides), lambda: compose("train", overrides, True)))

    def _once(self, key: tuple[str, ...], make: Callable[[], DictConfig]) -> DictConfig:
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]


KNOWN = KnownCompositions()


class FakeLauncher:
    """Finishes each job at once.

    Attributes:
        batches: the jobs' directories, by the batches in which they were launched.
    """

    def __init__(self, context: HydraContext, config: DictConfig, job: Job) -> None:
        self._context = context
        self._config = config
        self._job = job
        self.batches: list[list[Path]] = []

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn]:
        self.batches.append([])
        return [self._run(list(overrides)) for overrides in job_overrides]

    def _run(self, overrides: list[str]) -> JobReturn:
        own = self._context.config_loader.load_sweep_config(self._config, overrides)
        folder = Path(own.hydra.sweep.dir) / own.hydra.sweep.subdir
        self.batches[-1].append(folder)
        config = resolve(OmegaConf.masked_copy(own, [key for key in own if key != "hydra"]))  # pyright: ignore
        ended = self._job(config.plain)
        status = ended if isinstance(ended, str) else "complete"
        known = "running" if status in ("interrupted", "trained elsewhere") else status
        status = "refused" if status == "trained elsewhere" else status
        entry = Record(known, config.name, {}, config.plain, config.seed)
        if not isinstance(ended, str):
            entry.val = {"mean_accuracy": ended}
            entry.test = {"mean_accuracy": 1 - ended}
        record.write(folder, entry)
        outcome = Outcome(folder, status, "out of memory" if status == "failed" else None)
        return JobReturn(overrides=overrides, status=JobStatus.COMPLETED, _return_value=outcome)


class Searching:
    """Runs searches in `runs` below the working directory, each as if in a process of its own.

    Attributes:
        closing: lines that the last search ended with.
        outcomes: of its jobs.
    """

    folder = Path("runs")

    def __call__(self, job: Job, *overrides: str, space: dict[str, str] = SPACE, **options: Any) -> FakeLauncher:
        stop_flag.__init__()
        named = ["hparams_search=optuna", *overrides]
        with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
            config = KNOWN.compose([item for item in named if "(" not in item])
            given = {key: value for key, value in config.hydra.sweeper.items() if key not in ("_target_", "params")}
            OmegaConf.update(config, "hydra.sweeper.params", space, merge=False, force_add=True)
            callback = Sweep()
            callback.on_multirun_start(config)
            hydra = GlobalHydra.instance().hydra
            assert hydra is not None
            callbacks = Callbacks()
            callbacks.callbacks.append(callback)
            context = HydraContext(KNOWN.using(hydra.config_loader), callbacks)  # pyright: ignore[reportArgumentType]
            launcher = FakeLauncher(context, config, job)
            returned = search({**given, "params": space, **options}, config, context, launcher, named)  # pyright: ignore
        self.closing = callback.result.closing
        self.outcomes = [one.return_value for batch in returned for one in batch] + callback.result.outcomes
        return launcher

    def exit_code(self) -> int:
        return exit_code(self.outcomes, stop_flag.signal)

    def trials(self) -> list[tuple[str, float | None]]:
        return [(trial.state.name, trial.value) for trial in self.study.trials]

    @property
    def study(self) -> Any:
        return OpenStudy(self.folder / "search/search/study.journal").study

    def values(self) -> list[list[str]]:
        return [trial.user_attrs["overrides"] for trial in self.study.trials]


def lr(config: dict[str, Any]) -> float:
    """Score a job by its rate: the lower the better."""
    return 1 - config["optimizer"]["lr"]
