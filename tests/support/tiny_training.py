"""Tiny trainings in this process."""

from pathlib import Path

from composing import compose_config
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from agegender.jobs import run
from agegender.jobs.outcomes import Outcome
from agegender.records import record

# Half a second per training: 96 images of noise at 8 pixels, a network of 1,700 parameters.
COMPACT = ("model=compact_small", "model.channels=[4,8]", "model.blocks=[0,1]", "data.image_size=8")
TRAINING = (
    "data.batch_size=32",
    "trainer=cpu",
    "trainer.max_epochs=1",
    "trainer.enable_progress_bar=false",
    "logger=none",
)


class Trains:
    """Trains one tiny job in this process, as `train.py` does, in the directory `job` of a folder."""

    def __init__(self, faces: Path, cache: Path) -> None:
        self._settings = (*TRAINING, f"data.root={faces}", f"data.cache_dir={cache}")

    def __call__(
        self, folder: Path, *overrides: str, network: tuple[str, ...] = COMPACT
    ) -> tuple[str, record.Record | None]:
        config = self._compose(folder, network, overrides)
        job = folder / "job"
        return run.Job(run.resolve(config), job).run(), record.read(job)

    def attempt(self, folder: Path, *overrides: str, network: tuple[str, ...] = COMPACT) -> Outcome:
        """Train likewise, but return how the job ended instead of raising what it raised."""
        return run._attempt(self._compose(folder, network, overrides), folder / "job", multirun=False)

    def _compose(self, folder: Path, network: tuple[str, ...], overrides: tuple[str, ...]) -> DictConfig:
        own = [*network, *self._settings, f"runs_dir={folder / 'runs'}"]
        config = compose_config(*own, *overrides, with_hydra=True)
        HydraConfig.instance().set_config(config)
        return config
