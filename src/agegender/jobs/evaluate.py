"""Evaluate a checkpoint on its own test part or on other data, and record it."""

import inspect
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from agegender.jobs import config as schema
from agegender.jobs.unknown import refuse_unknown
from agegender.records.record import PREDICTIONS, Record, read, write
from agegender.system.errors import InputError, describe, end
from agegender.system.slurm_tasks import check_tasks

if TYPE_CHECKING:
    import lightning

    from agegender.data.datamodule import UTKFaceDataModule

log = logging.getLogger(__name__)

# Never carried over to other data.
_OF_TRAINING_SET = ("train_part", "limit", "leak_control", "max_skipped", "split_file", "split_seed")
_PARTS = ("train", "val", "trainval", "test", "all")
_KEYS = {
    **dict.fromkeys(("ckpt_path", "output_dir", "part", "test_time_flip", "test_time_shift", "data", "trainer")),
    "loss": {"logit_adjustment": None},  # keys below data and trainer reach classes, which refuse unknown ones
}


def run_evaluation(config: DictConfig) -> None:
    """Evaluate as Hydra composed it; ends the process with one line on what the user can mend."""
    try:
        plain = OmegaConf.to_container(config, resolve=True)
        assert isinstance(plain, dict)
        evaluate({str(key): value for key, value in plain.items()})
    except Exception as error:
        if describe(error) is None:
            raise
        end(error)


def evaluate(request: dict[str, Any]) -> Record:
    """Evaluate a checkpoint.

    Args:
        request: as in `conf/eval.yaml`; what is None there is as in the checkpoint's own run.

    Returns:
        The record, which is also written, with the predictions, to the output directory.

    Raises:
        InputError: no such checkpoint, part or data.
    """
    from agegender.jobs import build, fit
    from agegender.jobs.predictions import save_predictions
    from agegender.models import measure
    from agegender.training import trainers  # these import torch: not needed for --help

    refuse_unknown(request, _KEYS)
    if request["ckpt_path"] is None:
        raise InputError("ckpt_path is not set; give a run's checkpoints/best.ckpt")
    if request["part"] not in _PARTS:
        raise InputError(f"part={request['part']}: choose one of {', '.join(_PARTS)}")
    check_tasks()
    path = Path(request["ckpt_path"]).expanduser()
    trainers.quiet_libraries()
    config = _merge(build.read_checkpoint_config(path), request)
    config["loss"] = _adjusted(config["loss"], request["loss"]["logit_adjustment"])
    module = build.load_module(path, config)
    own = read(path.parent.parent)
    config, datamodule = _open_data(config, request, own)
    _check_part(path, own, datamodule, request)
    folder = _output_folder(request, path, datamodule.manifest_id)
    folder.mkdir(parents=True, exist_ok=True)
    kind, arguments = _trainer_at_hand(config["trainer"])
    trainer = trainers.make_trainer(arguments, folder=folder, callbacks=[], logger=False, kind=kind)
    loader = datamodule.evaluation_loader(request["part"], trainer.strategy.root_device)
    trainer.test(module, dataloaders=loader, verbose=False)
    choices = (own.choices if own is not None else {}) | {"part": request["part"], "ckpt_path": str(path)}
    record = Record(status="complete", name=config["name"], choices=choices, config=config, seed=config["seed"])
    record.data, record.test = datamodule.describe(), module.test_scores
    record.num_params = measure.num_params(module.network)
    record.coarse_years = module.method.coarse_years
    record.normalization = module.normalizer.normalization.to_dict()
    record.environment = fit.describe_environment(trainer)
    save_predictions(folder / PREDICTIONS, module, datamodule)
    write(folder, record)
    _tell(record, sum(len(batch["row"]) for batch in module.predictions), request["part"], folder)
    return record


def _merge(config: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    """Lay what was asked for over the checkpoint's configuration."""
    data = {key: value for key, value in request["data"].items() if value is not None}
    if "root" in data:
        data["source"] = {
            **config["data"]["source"],
            "root": data["root"],
            "_target_": "agegender.data.source.open_faces",
        }
        data.setdefault("split_file", None)  # the network's own data too may lie elsewhere now
    trainer = {key: value for key, value in request["trainer"].items() if value is not None}
    trainer = {**config["trainer"], "strategy": "auto", "num_nodes": 1, "limit_test_batches": 1.0, **trainer}
    merged = {**config, "data": {**config["data"], **data}, "trainer": {**trainer, "fast_dev_run": False}}
    merged |= {key: request[key] for key in ("test_time_flip", "test_time_shift") if request[key] is not None}
    schema.check(merged)
    return merged


def _trainer_at_hand(trainer: dict[str, Any]) -> tuple[type["lightning.Trainer"], dict[str, Any]]:
    """Return the trainer's class and arguments; Lightning's own where the checkpoint's class is not to be had here."""
    import lightning

    from agegender.jobs import build

    try:
        return build.trainer_class(trainer), trainer
    except InputError as error:
        log.warning("%s: evaluated with lightning.Trainer", error)
        known = inspect.signature(lightning.Trainer).parameters
        return lightning.Trainer, {key: value for key, value in trainer.items() if key in known}


def _open_data(
    config: dict[str, Any], request: dict[str, Any], own: Record | None
) -> tuple[dict[str, Any], "UTKFaceDataModule"]:
    """Set the data up: other images than the network's own without what described those.

    Returns:
        The configuration, adjusted to the data, and the data.
    """
    from agegender.jobs import build

    datamodule = build.make_datamodule(config)
    fresh = {**config, "data": {**config["data"], **_not_of_training(request)}}
    if request["data"]["root"] is None or fresh == config:
        datamodule.setup()
        return config, datamodule
    if own is None:
        log.warning(
            "no record.json in the checkpoint's run: whether its network was trained on some of these images is unknown"
        )
    elif _is_own_data(datamodule, own):
        return config, datamodule
    datamodule = build.make_datamodule(fresh)
    datamodule.setup()
    return fresh, datamodule


def _not_of_training(request: dict[str, Any]) -> dict[str, Any]:
    """Return the defaults of the keys that describe a training set, without those that were asked for."""
    from agegender.data.datamodule import UTKFaceDataModule

    defaults = inspect.signature(UTKFaceDataModule).parameters
    return {key: defaults[key].default for key in _OF_TRAINING_SET if request["data"].get(key) is None}


def _is_own_data(datamodule: "UTKFaceDataModule", own: Record) -> bool:
    try:
        datamodule.setup()
    except InputError:  # too few of these images under the training's limit, say
        return False
    return datamodule.table.fingerprint == own.data.get("fingerprint")


def _check_part(path: Path, own: Record | None, datamodule: "UTKFaceDataModule", request: dict[str, Any]) -> None:
    """Tell where a part holds images that the network was trained on, also of its own data that lies elsewhere now."""
    root, known = request["data"]["root"], own.data if own is not None else {}
    if root is not None and known.get("fingerprint") != datamodule.table.fingerprint:
        _warn_of_names(path, known.get("split_hash", ""), datamodule, request["part"])
        return
    asked = any(request["data"][key] is not None for key in ("split_file", "split_seed", "leak_control"))
    trained = known.get("split_hash", datamodule.manifest_id)
    if trained != datamodule.manifest_id and request["part"] != "all":
        if asked:
            _warn_of_names(path, trained, datamodule, request["part"])
            return
        limit = request["data"]["limit"]
        if limit is not None:
            raise InputError(
                f"data.limit={limit} makes another split than the one that this network was trained on; leave it out "
                "(trainer.limit_test_batches=10 evaluates fewer images), or give part=all"
            )
        raise InputError(
            f"{root or known['root']} holds images that this network was trained on, by another split, or has changed "
            f"since; give the split's manifest, data.split_file=.../split-{trained[:12]}.csv, or part=all"
        )
    if request["part"] == "val" and datamodule.train_part == "trainval":
        log.warning("part=val was trained on (data.train_part=trainval): its scores say nothing of other faces")


def _warn_of_names(path: Path, split_hash: str, datamodule: "UTKFaceDataModule", part: str) -> None:
    """Warn of images that bear the names of training images, as other releases, folders and crops of them do."""
    from agegender.data.sources.utkface import photograph
    from agegender.data.split import read_manifest

    places = [folder / f"split-{split_hash[:12]}.csv" for folder in path.absolute().parents]
    manifest = next((place for place in places if place.is_file()), None)
    if manifest is None:
        return
    trained = {photograph(name) or name for name, of in read_manifest(manifest).items() if of != "test"}
    rows = datamodule.split.rows(part)
    names = [datamodule.table.names[row] for row in rows]
    shared = sum((photograph(name) or name) in trained for name in names)
    if shared:
        log.warning(
            "%d of these %d images bear the names of images that this network was trained on", shared, len(rows)
        )


def _adjusted(loss: dict[str, Any], tau: float | None) -> dict[str, Any]:
    """Set how much of the groups' prior is taken out of the predictions, which no training depends on."""
    if tau is None:
        return loss
    if "logit_adjustment" not in loss:
        raise InputError(f"loss.logit_adjustment={tau}: {loss['_target_']} has no logits of classes to adjust")
    if loss["logit_adjustment"] and loss["adjust"] == "training":
        raise InputError(
            f"loss.logit_adjustment={tau}: this network was trained with {loss['logit_adjustment']} in its loss; "
            "another value needs another fit, or one with loss.adjust=prediction"
        )
    return {**loss, "logit_adjustment": float(tau), "adjust": "prediction"}


def _output_folder(request: dict[str, Any], path: Path, manifest_id: str) -> Path:
    if request["output_dir"] is not None:
        return Path(request["output_dir"]).expanduser()
    run = path.parent.parent if path.parent.name == "checkpoints" else path.parent
    asked = {
        "adjusted": request["loss"]["logit_adjustment"],
        **{"flip": request["test_time_flip"], "shift": request["test_time_shift"]},
        "batches": request["trainer"]["limit_test_batches"],
    }
    suffix = "".join(f"-{key}-{value:g}" for key, value in asked.items() if value is not None)
    return run / "eval" / f"{manifest_id[:12]}-{request['part']}{suffix}"


def _tell(record: Record, num_images: int, part: str, folder: Path) -> None:
    scores = record.test
    log.info(
        "%s of %s images of %s (%s): age %.2f %% (balanced %.2f, one-off %.2f), gender %.2f %%, MAE %.2f years",
        *(f"{num_images:,}", f"{record.data['counts']['available']:,}", record.data["root"], part),
        100 * scores["age_accuracy"],
        *(100 * scores["age_balanced_accuracy"], 100 * scores["age_one_off_accuracy"]),
        *(100 * scores["gender_accuracy"], scores["age_mae_years"]),
    )
    log.info("The record: %s", folder / "record.json")
