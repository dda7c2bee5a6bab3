"""Tiny trainings in this process, and where the configuration lies."""

from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from paths import CONF

from agegender.jobs import run
from agegender.records import record

# Half a second a training: 96 pictures of noise at 8 pixels, a network of 1,700 parameters.
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
        given = [*network, *self._settings, f"runs_dir={folder / 'runs'}", *overrides]
        with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
            config = compose("train", given, return_hydra_config=True)
        HydraConfig.instance().set_config(config)
        job = folder / "job"
        return run.Job(run.resolve(config), job).run(), record.read(job)
