"""What a job of several processes asks of Slurm; on a real Slurm: `tests/slurm`."""

from pathlib import Path
from typing import Any

import pytest
from composing import compose_config
from omegaconf import OmegaConf

from agegender.sweeps.launch.plan import PlannedJob
from agegender.sweeps.launch.slurm import SlurmRun


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (("trainer=gpu",), None),
        (("trainer=ddp", "trainer.devices=1"), None),
        (("trainer=ddp", "trainer.devices=2"), ["--kill-on-bad-exit=1"]),
        (("trainer=ddp", "trainer.devices=1", "trainer.num_nodes=2"), ["--kill-on-bad-exit=1"]),
    ],
)
def test_one_process_that_fails_ends_the_others_of_its_job(
    overrides: tuple[str, ...], expected: list[str] | None, tmp_path: Path
) -> None:
    config = compose_config(*overrides, "hydra/launcher=slurm", with_hydra=True)
    options: Any = OmegaConf.to_container(config.hydra.launcher)
    del options["_target_"]
    job = PlannedJob([], config, tmp_path / "job", [], num_epochs=1)
    parameters = SlurmRun([job], tmp_path, options)._parameters([job], tmp_path / "plan.json")
    assert parameters.get("slurm_srun_args") == expected
