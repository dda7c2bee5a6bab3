"""From configuration to objects, and from a checkpoint back to a module.

An option of a group may be a class of the user's own with keys of its own, and a checkpoint's configuration may be
older than the schema. So this reads plain containers, `Config.plain` or those of a checkpoint, not the typed ones.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import lightning
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from agegender.data.datamodule import UTKFaceDataModule
from agegender.data.source import draw_faces
from agegender.labels import NUM_GROUPS, AgeGroups, age_groups
from agegender.losses.base import Method
from agegender.models import measure, normalization
from agegender.models.weights import read_state
from agegender.records.targets import current_target, locate
from agegender.system.errors import InputError, explain
from agegender.training.augment import Augment
from agegender.training.checkpoint_file import read_checkpoint
from agegender.training.module import AgeGenderModule
from agegender.training.precision import choose_precision, is_mixed


def _instantiate(config: Any, **arguments: Any) -> Any:
    """Instantiate non-recursively; the user's mistakes are raised without Hydra's wrapping."""
    if "_target_" in config:
        config = {**config, "_target_": current_target(config["_target_"])}
    try:
        return instantiate(config, _recursive_=False, **arguments)
    except InstantiationException as error:
        explained = explain(error)
        cause = error.__cause__
        if explained is None and isinstance(cause, TypeError) and "argument" in str(cause):
            explained = InputError(f"{cause}; check the keys of this option")
        if explained is not None:
            raise explained from error
        raise (cause if cause is not None else error) from None


_OF_SOURCE = ("root", "source", "set", "labels", "margin")  # keys of `data` that the source takes


def make_datamodule(config: dict[str, Any]) -> UTKFaceDataModule:
    """Make the data module; reads no image yet."""
    _check_target(config["data"], lightning.LightningDataModule)
    _check_source(config["data"]["source"])
    data = {key: value for key, value in config["data"].items() if key not in _OF_SOURCE}
    source = _instantiate(config["data"]["source"])
    return _instantiate(data, _partial_=True)(source=source, seed=config["seed"])


def network_builder(config: dict[str, Any], num_outputs: int) -> Callable[[int], nn.Module]:
    """Return a function from an image size to the network, without pretrained weights."""
    _check_target(config["model"], nn.Module)
    model = {**config["model"], "weights": None}
    return partial(_build_network, model, num_outputs)


def _build_network(model: dict[str, Any], num_outputs: int, image_size: int) -> nn.Module:
    model = {key: value for key, value in model.items() if key != "compile"}  # how it is run, not what it is
    return _instantiate(model, num_outputs=num_outputs, image_size=image_size, _convert_="all")


def make_method(config: dict[str, Any]) -> Method:
    """Make the method; `prepare` it before training."""
    _check_target(config["loss"], Method)
    num_groups = len(_groups_of(config).names)
    # A method of the user's own need not know of other numbers.
    options = {} if num_groups == NUM_GROUPS else {"num_groups": num_groups}
    return _instantiate(config["loss"], _convert_="all", **options)


def _groups_of(config: dict[str, Any]) -> AgeGroups:
    """Return a configuration's age groups.

    Raises:
        InputError: there is no such scheme.
    """
    try:
        return age_groups(config["data"]["age_groups"]) if "data" in config else age_groups("closed")
    except ValueError as error:
        raise InputError(str(error)) from error


def _check_target(config: dict[str, Any], kind: type) -> None:
    """A checkpoint's configuration comes from a file: only a class of the right kind may be called."""
    made = locate(str(config.get("_target_")))
    if not (isinstance(made, type) and issubclass(made, kind)):
        raise InputError(f"_target_={config['_target_']} is not a {kind.__name__}")


def _check_source(config: dict[str, Any]) -> None:
    """Likewise: only a class that is a source, or a function of `agegender.data.source`."""
    made = locate(str(config.get("_target_")))
    is_source = isinstance(made, type) and all(hasattr(made, name) for name in ("names", "signature", "read"))
    if not is_source and getattr(made, "__module__", None) != draw_faces.__module__:
        raise InputError(f"_target_={config['_target_']} is not a source of faces; see agegender.data.source")


def trainer_class(trainer: dict[str, Any]) -> type[lightning.Trainer]:
    """Return the class that `trainer._target_` names; Lightning's own where an older configuration names none.

    Raises:
        InputError: it names nothing that can be imported, or no trainer.
    """
    if "_target_" not in trainer:
        return lightning.Trainer
    kind = locate(str(trainer["_target_"]), prefix="trainer.")
    if not (isinstance(kind, type) and issubclass(kind, lightning.Trainer)):
        raise InputError(
            f"trainer._target_={trainer['_target_']} is not a lightning.Trainer; name a subclass of it, or leave it out"
        )
    return kind


def make_callbacks(configs: dict[str, dict[str, Any] | None]) -> list[lightning.Callback]:
    """Make the callbacks of the user's own.

    Args:
        configs: by a name of theirs, `_target_` and arguments of each; None leaves one out.

    Raises:
        InputError: a `_target_` is no callback, or refuses its arguments.
    """
    given = [config for config in configs.values() if config is not None]
    for config in given:
        _check_target(config, lightning.Callback)
    return [_instantiate(config, _convert_="all") for config in given]


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
    augment = _make_augment(config, builder)
    module = AgeGenderModule(
        network,
        method,
        _instantiate(_optimizer_options(config), _convert_="all"),
        schedule=_make_schedule(config["schedule"]),
        augment=augment,
        test_time_flip=config["test_time_flip"],
        test_time_shift=config["test_time_shift"],
        config=config,
        seed=config["seed"],
    )
    if config["model"].get("weights") is not None:
        _normalize_as(module, Path(config["model"]["weights"]).expanduser())
    if config["ckpt_path"] is not None:
        load_state(module, Path(config["ckpt_path"]).expanduser())
    return module


def _normalize_as(module: AgeGenderModule, path: Path) -> None:
    """Normalize images as the network of a checkpoint of ours was trained to have them, where its file records that."""
    if not path.is_file() or path.suffix == ".safetensors":
        return
    try:
        content = read_checkpoint(path)
    except InputError:  # weights in an older format than any checkpoint of ours
        return
    if "agegender_config" in content:
        module.normalizer.use(normalization.from_dict(content.get("agegender_normalization")))


def _optimizer_options(config: dict[str, Any]) -> dict[str, Any]:
    """Return the optimizer's options; no fused one where gradients are clipped in mixed precision.

    A fused optimizer takes the loss's scale out of the gradients itself, after they would have been clipped, and
    Lightning refuses to clip then.
    """
    options = config["optimizer"]
    trainer = config["trainer"]
    precision = choose_precision(trainer["precision"], trainer["accelerator"])
    is_refused = bool(options.get("fused")) and bool(trainer["gradient_clip_val"]) and is_mixed(precision)
    return {**options, "fused": False} if is_refused else options


def _make_schedule(config: dict[str, Any] | None) -> Callable[[Optimizer, int], LRScheduler] | None:
    """Return what makes the scheduler; PyTorch's own take the optimizer, but not the number of its steps."""
    if config is None:
        return None
    schedule = _instantiate(config, _convert_="all")
    if "num_steps" in inspect.signature(schedule).parameters:
        return schedule
    return lambda optimizer, num_steps: schedule(optimizer)


def _make_augment(config: dict[str, Any], builder: Callable[[int], nn.Module]) -> Augment:
    _check_target(config["augment"], Augment)
    augment = _instantiate(config["augment"])
    full = config["data"]["image_size"]
    if augment.start_size is not None:
        if augment.start_size > full:
            raise InputError(f"augment.start_size={augment.start_size} is larger than data.image_size={full}")
        measure.check_start_size(builder, full, augment.start_size, _short_name(config["model"]))
    return augment


def _short_name(option: dict[str, Any]) -> str:
    return str(option.get("name", option["_target_"].rpartition(".")[2]))


def load_state(module: AgeGenderModule, path: Path) -> None:
    """Load a checkpoint's weights into a module, which then normalizes images as that one's did.

    Raises:
        InputError: no such file, not a checkpoint, or one of another architecture.
    """
    _check_is_file(path)
    state = read_state(path)
    own = module.state_dict()
    wrong = [key for key in own if key not in state or state[key].shape != own[key].shape] + [
        key for key in state if key not in own
    ]
    if wrong:
        others = f" and {len(wrong) - 1} other tensors differ" if len(wrong) > 1 else " differs"
        raise InputError(
            f"ckpt_path={path} is of another {_what_differs(wrong)}: {wrong[0]}{others}; give the configuration that "
            f"it was trained with, or model.weights={path} instead, which takes over all but the heads"
        )
    module.load_state_dict(state)
    _normalize_as(module, path)


def _what_differs(names: list[str]) -> str:
    """Name what differs: only what a method for age adds, its output layer and its own buffers, or more."""
    is_method = all(name.startswith("method.") or "heads" in name.split(".") for name in names)
    return "method (loss=)" if is_method else "architecture, method or data.image_size"


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


@dataclass(frozen=True)
class TrainedNetwork:
    """A checkpoint's network, and what reading its predictions needs.

    Attributes:
        module: in evaluation mode, on the CPU.
        groups: age groups that it predicts.
        image_size: pixels of a side of its images.
        model_name: of the network, as its configuration names it.
        loss_name: of the method for age, likewise.
    """

    module: AgeGenderModule
    groups: AgeGroups
    image_size: int
    model_name: str
    loss_name: str


def load_trained(path: Path) -> TrainedNetwork:
    """Load the network of a checkpoint.

    Raises:
        InputError: no such file, not a checkpoint of this project, or there is no such scheme of age groups.
    """
    config = read_checkpoint_config(path)
    groups = _groups_of(config)
    return TrainedNetwork(
        module=load_module(path, config),
        groups=groups,
        image_size=config["data"]["image_size"],
        model_name=_short_name(config["model"]),
        loss_name=_short_name(config["loss"]),
    )


def load_module(path: Path, config: dict[str, Any] | None = None) -> AgeGenderModule:
    """Build network and method, and load a checkpoint's weights.

    Args:
        path: of the checkpoint.
        config: which network, how its method decodes, how images are read at test time; None: as in the checkpoint.
    """
    config = read_checkpoint_config(path) if config is None else config
    method = make_method(config)
    network = network_builder(config, method.num_outputs)(config["data"]["image_size"])
    # A checkpoint's configuration may be older than these keys.
    at_test = {key: config[key] for key in ("test_time_flip", "test_time_shift") if key in config}
    module = AgeGenderModule(network, method, config=config, **at_test)
    load_state(module, path)
    return module.eval()
