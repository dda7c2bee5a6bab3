"""Tests of what all jobs of a sweep would refuse."""

from pathlib import Path

import pytest
from composing import compose_config

from agegender.jobs.preflight import check_jobs
from agegender.jobs.run import resolve
from agegender.jobs.schema import Config
from agegender.system.errors import InputError

BASIC = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
LOCAL, SLURM = (f"hydra_plugins.agegender_launchers.{name}Launcher" for name in ("Local", "Slurm"))


def resolved(*overrides: str) -> Config:
    return resolve(compose_config(*overrides))


@pytest.mark.parametrize("launcher", [BASIC, LOCAL])
@pytest.mark.parametrize(
    ("override", "key"),
    [("data.root=nowhere.tar", "data.root"), ("data.split_file=no.csv", "data"), ("ckpt_path=no.ckpt", "ckpt_path")],
)
def test_a_file_that_is_not_there_is_told_before_the_first_job_unless_it_is_swept(
    override: str, key: str, launcher: str
) -> None:
    config = resolved(override)
    with pytest.raises(InputError, match=override):
        check_jobs(config, ["optimizer.lr"], launcher)
    check_jobs(config, [key], launcher)


def test_a_clusters_nodes_may_have_disks_of_their_own() -> None:
    check_jobs(resolved("data.root=/scratch/UTKFace.tar"), [], SLURM)


def test_ddp_is_refused_where_the_jobs_are_one_process() -> None:
    config = resolved("trainer=ddp")
    with pytest.raises(InputError, match="trainer=ddp starts this program once per device"):
        check_jobs(config, [], BASIC)
    check_jobs(config, [], SLURM)


def test_the_demo_takes_as_many_real_images_as_it_draws(face_folder: Path) -> None:
    config = resolved("experiment=demo", f"data.root={face_folder}")
    assert (config.data.limit, config.data.image_size, config.trainer.max_epochs) == (1000, 128, 2)
    check_jobs(config, ["model", "loss"], BASIC)


def test_data_synthetic_with_a_root_is_refused_once(face_folder: Path) -> None:
    with pytest.raises(InputError, match="data=synthetic draws its own faces"):
        check_jobs(resolved("data=synthetic", f"data.root={face_folder}"), ["model"], BASIC)
