"""From configuration to objects, and from a checkpoint back to a module."""

import logging
import pydoc
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import lightning
import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import RichProgressBar
from torch import nn

from agegender.augment import Augment
from agegender.data.datamodule import UTKFaceDataModule
from agegender.data.source import draw_faces
from agegender.errors import InputError, describe, first_line
from agegender.losses.base import Method
from agegender.models import measure
from agegender.models.weights import UNREADABLE, read_state
from agegender.module import AgeGenderModule
from agegender.precision import choose_precision, uses_gpu


def quiet_libraries() -> None:
    """Silence what libraries say in every job and nobody needs; errors and other warnings stay."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in (
        ".*The .srun. command is available on your system but is not used.*",  # a login node
        ".*does not have many workers.*",  # batches are gathered from memory: no worker is faster
        ".*exists and is not empty.*",  # a resumed job's own checkpoints
        ".*The number of training batches .* is smaller than the logging interval.*",
        ".*GPU available but not used.*",
        ".*It is recommended to use .self.log.*sync_dist=True.*",  # every process evaluates all images
        ".*Checkpoint directory .* exists.*",
        ".*Using .DistributedSampler. with the dataloaders.*",
        ".*isinstance.treespec, LeafSpec.. is deprecated.*",  # Lightning on newer PyTorch
    ):
        warnings.filterwarnings("ignore", message=message)


def _instantiate(config: Any, **arguments: Any) -> Any:
    """Instantiate, nothing inside it, and tell the user's mistakes without Hydra's wrapping."""
    try:
        return instantiate(config, _recursive_=False, **arguments)
    except InstantiationException as error:
        reason = describe(error)
        cause = error.__cause__
        if reason is None and isinstance(cause, TypeError) and "argument" in str(cause):
            reason = f"{cause}; check the keys of this option"
        if reason is not None:
            raise InputError(reason) from error
        raise (cause if cause is not None else error) from None


def make_datamodule(config: dict[str, Any]) -> UTKFaceDataModule:
    """Make the data module; reads no image yet."""
    _check_target(config["data"], lightning.LightningDataModule)
    _check_source(config["data"]["source"])
    data = {key: value for key, value in config["data"].items() if key not in ("root", "source")}
    source = _instantiate(config["data"]["source"])
    return _instantiate(data, _partial_=True)(source=source, seed=config["seed"])


def network_builder(config: dict[str, Any], num_outputs: int) -> Callable[[int], nn.Module]:
    """Give a function from an image size to the network, without pretrained weights."""
    _check_target(config["model"], nn.Module)
    model = {**config["model"], "weights": None}
    return partial(_build_network, model, num_outputs)


def _build_network(model: dict[str, Any], num_outputs: int, image_size: int) -> nn.Module:
    model = {key: value for key, value in model.items() if key != "compile"}  # how it is run, not what it is
    return _instantiate(model, num_outputs=num_outputs, image_size=image_size, _convert_="all")


def make_method(config: dict[str, Any]) -> Method:
    """Make the method; `prepare` it before training."""
    _check_target(config["loss"], Method)
    return _instantiate(config["loss"], _convert_="all")


def _check_target(config: dict[str, Any], kind: type) -> None:
    """A checkpoint's configuration comes from a file: only a class of the right kind may be called."""
    made = _locate(config)
    if not (isinstance(made, type) and issubclass(made, kind)):
        raise InputError(f"_target_={config['_target_']} is not a {kind.__name__}")


def _check_source(config: dict[str, Any]) -> None:
    """Likewise: only a class that is a source, or a function of `agegender.data.source`."""
    made = _locate(config)
    is_source = isinstance(made, type) and all(hasattr(made, name) for name in ("names", "signature", "read"))
    if not is_source and getattr(made, "__module__", None) != draw_faces.__module__:
        raise InputError(f"_target_={config['_target_']} is not a source of faces; see agegender.data.source")


def _locate(config: dict[str, Any]) -> Any:
    target = config.get("_target_")
    try:
        made = pydoc.locate(str(target))
    except pydoc.ErrorDuringImport as error:
        raise InputError(f"_target_={target} cannot be imported ({error})") from error
    if made is None:
        raise InputError(f"_target_={target} does not exist; check its spelling")
    return made


def make_module(config: dict[str, Any]) -> AgeGenderModule:
    """Make network and method from the seed.

    Raises:
        InputError: the image size is too small for the network, or its weights cannot be loaded.
    """
    method = make_method(config)
    image_size = config["data"]["image_size"]
    builder = network_builder(config, method.num_outputs)
    measure.check_image_size(builder, image_size, _short_name(config["model"]))
    lightning.seed_everything(config["seed"], workers=True, verbose=False)
    network = _build_network(config["model"], method.num_outputs, image_size)
    _check_target(config["augment"], Augment)
    module = AgeGenderModule(
        network,
        method,
        _instantiate(config["optimizer"], _convert_="all"),
        schedule=_instantiate(config["schedule"], _convert_="all"),
        augment=_instantiate(config["augment"]),
        test_time_flip=config["test_time_flip"],
        config=config,
        seed=config["seed"],
    )
    if config["ckpt_path"] is not None:
        load_state(module, Path(config["ckpt_path"]).expanduser())
    return module


def _short_name(model: dict[str, Any]) -> str:
    return str(model.get("name", model["_target_"].rpartition(".")[2]))


def load_state(module: AgeGenderModule, path: Path) -> None:
    """Load a checkpoint's weights into a module.

    Raises:
        InputError: no such file, not a checkpoint, or one of another architecture.
    """
    _check_is_file(path)
    state, own = read_state(path), module.state_dict()
    wrong = [key for key in own if key not in state or state[key].shape != own[key].shape] + [
        key for key in state if key not in own
    ]
    if wrong:
        raise InputError(
            f"ckpt_path={path} is of another architecture, method or data.image_size: {wrong[0]} and "
            f"{len(wrong) - 1} other tensors differ; give the configuration that it was trained with"
        )
    module.load_state_dict(state)


def _check_is_file(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"ckpt_path={path} is not a file; give a run's checkpoints/best.ckpt")


def read_checkpoint_config(path: Path) -> dict[str, Any]:
    """Read the configuration that a checkpoint was trained with.

    Raises:
        InputError: no such file, or not a checkpoint of this project.
    """
    _check_is_file(path)
    config = read_checkpoint(path).get("agegender_config")
    if not isinstance(config, dict) or not all(isinstance(config.get(key), dict) for key in ("data", "model", "loss")):
        raise InputError(f"ckpt_path={path} is not a checkpoint of a run of this project; give checkpoints/best.ckpt")
    return config


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint's plain containers and tensors; nothing in it is executed.

    Raises:
        InputError: it cannot be read.
    """
    try:
        # Mapped: who wants the configuration or the epoch does not read the tensors, 1.5 GB of them for VGG11.
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except UNREADABLE as error:
        reason = first_line(error, limit=150)
        raise InputError(f"{path} is not a checkpoint that can be read safely ({reason}); is it complete?") from error
    return content if isinstance(content, dict) else {}


def load_module(path: Path, *, loss: dict[str, Any] | None = None) -> AgeGenderModule:
    """Build network and method as a checkpoint's configuration says, and load its weights.

    Args:
        path: of the checkpoint.
        loss: configuration of the method, where it is to decode in another way; None: as in the checkpoint.
    """
    config = read_checkpoint_config(path)
    config = config if loss is None else {**config, "loss": loss}
    method = make_method(config)
    network = network_builder(config, method.num_outputs)(config["data"]["image_size"])
    flip = config.get("test_time_flip", False)  # a checkpoint may be older than the key
    module = AgeGenderModule(network, method, test_time_flip=flip, config=config)
    load_state(module, path)
    return module.eval()


def make_trainer(
    config: dict[str, Any], *, folder: Path, callbacks: list[lightning.Callback], logger: Any
) -> lightning.Trainer:
    """Make Lightning's trainer.

    Raises:
        InputError: Lightning refuses an argument, or the hardware that is asked for is not there.
    """
    arguments = {key: value for key, value in config.items() if key != "_target_"}
    arguments["precision"] = choose_precision(arguments["precision"], arguments["accelerator"])
    if arguments.get("deterministic") == "auto":
        arguments["deterministic"] = not uses_gpu(arguments["accelerator"])
    # With deterministic algorithms PyTorch fills new memory with NaN, to show who reads it; nobody here does.
    torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]
    if arguments.get("enable_progress_bar", True):
        callbacks = [*callbacks, RichProgressBar()]
    try:
        return lightning.Trainer(
            **arguments,
            callbacks=callbacks,
            logger=logger,
            default_root_dir=folder,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            # The job's own checkpoint serves a requeue; Lightning's would be found by any later run in the directory.
            plugins=[SLURMEnvironment(auto_requeue=False)] if SLURMEnvironment.detect() else None,
        )
    except (MisconfigurationException, ValueError, TypeError) as error:
        raise InputError(f"trainer: {error}") from error
