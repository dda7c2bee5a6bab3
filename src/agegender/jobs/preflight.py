"""What every job of a sweep would refuse, refused once before the first is composed."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate

from agegender.data.sources.base import Source
from agegender.jobs.combinations import RECIPES
from agegender.jobs.schema import Config
from agegender.system.errors import InputError, explain

# Launchers whose jobs find the files that this process finds; a cluster's nodes may have disks of their own.
_HERE = (
    "hydra._internal.core_plugins.basic_launcher.BasicLauncher",
    "hydra_plugins.agegender_launchers.LocalLauncher",
    "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher",
)


def check_jobs(config: Config, swept: Iterable[str], launcher: str) -> None:
    """Check what the jobs of a sweep have in common.

    Args:
        config: of the sweep, resolved and checked.
        swept: keys and groups that have several values.
        launcher: class of Hydra's launcher.

    Raises:
        InputError: as each job would raise it.
    """
    if launcher not in _HERE or RECIPES & set(swept):
        return
    if launcher == _HERE[0]:
        refuse_ddp_sweep(config, multirun=True)
    for key, path in (("ckpt_path", config.ckpt_path), ("data.split_file", config.data.split_file)):
        if path is not None and not _is_swept(key, swept) and not Path(path).expanduser().is_file():
            raise InputError(f"{key}={path} is not a file; check the path")
    of_source = ("data.root", "data.source", "data.set", "data.labels", "data")
    has_files = any(value is not None for value in (config.data.root, config.data.set, config.data.labels))
    if has_files and not any(_is_swept(key, swept) for key in of_source):
        _open(config.data.source).names()


def _is_swept(key: str, swept: Iterable[str]) -> bool:
    return any(key == one or key.startswith(f"{one}.") or one.startswith(f"{key}.") for one in swept)


def _open(source: dict[str, Any]) -> Source:
    try:
        return instantiate(source)
    except InstantiationException as error:
        explained = explain(error)
        if explained is None:
            raise
        raise explained from error


def refuse_ddp_sweep(config: Config, *, multirun: bool) -> None:
    """Refuse jobs of several processes in a sweep of one process.

    Raises:
        InputError: names what to do instead.
    """
    launched = "LOCAL_RANK" in os.environ or "SLURM_PROCID" in os.environ
    if multirun and not launched and config.trainer.strategy.startswith("ddp"):
        raise InputError(
            "trainer=ddp starts this program once per device, and each copy would run the whole sweep; "
            "use trainer=gpu with one device per job, or hydra/launcher=slurm, or start each job by itself"
        )
