"""Evaluate a checkpoint on its own test part or on other data, and record it."""

import inspect
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from agegender.jobs.config import parse, parse_evaluation, replaced
from agegender.jobs.schema import Config, Evaluation
from agegender.records.job_folder import JobFolder
from agegender.records.record import Record
from agegender.records.scores import in_words
from agegender.system.errors import InputError, describe, end
from agegender.system.processes import is_main_process
from agegender.system.slurm_tasks import check_tasks

if TYPE_CHECKING:
    import lightning

    from agegender.data.datamodule import UTKFaceDataModule
    from agegender.training.module import AgeGenderModule

log = logging.getLogger(__name__)

# These describe the training set: not reused for other data.
_OF_TRAINING_SET = (
    "train_part",
    "limit",
    "leak_control",
    "max_skipped",
    "split_file",
    "split_seed",
    "split",
    "fold",
    "folds",
)
_LABELS = {"set": "set_name", "labels": "labels", "margin": "margin"}  # keys of `data`, and of its source
_PARTS = ("train", "val", "trainval", "test", "all")


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
    from agegender.tracking.job import JobTracker
    from agegender.training import trainers  # these import torch: not needed for --help

    asked = parse_evaluation(request)
    if asked.ckpt_path is None:
        raise InputError("ckpt_path is not set; give a run's checkpoints/best.ckpt")
    if asked.part not in _PARTS:
        raise InputError(f"part={asked.part}: choose one of {', '.join(_PARTS)}")
    check_tasks()
    path = Path(asked.ckpt_path).expanduser()
    trainers.quiet_libraries()
    config = _adjusted(_merged(build.read_checkpoint_config(path), asked), asked.loss.logit_adjustment)
    module = build.load_module(path, config.plain)
    job = JobFolder.of_checkpoint(path)
    own = job.read()
    config, datamodule = _open_data(config, asked, own)
    _check_part(path, own, datamodule, asked)
    folder = _output_folder(asked, path, job, datamodule.manifest_id)
    folder.path.mkdir(parents=True, exist_ok=True)
    choices = (own.choices if own is not None else {}) | {"part": asked.part, "ckpt_path": str(path)}
    record = _new_record(config, choices, datamodule, module)
    entries = asked.logger.entries() if is_main_process() else {}
    tracker = JobTracker(entries, record, folder.path, config.runs_folder, job_type="eval")
    try:
        kind, arguments = _available_trainer(config.trainer.options())
        loggers = tracker.loggers or False
        trainer = trainers.make_trainer(arguments, folder=folder.path, callbacks=[], logger=loggers, kind=kind)
        record.environment = fit.describe_environment(trainer)
        tracker.describe(record)
        loader = datamodule.evaluation_loader(asked.part, trainer.strategy.root_device)
        trainer.test(module, dataloaders=loader, verbose=False)
        record.status = "complete"
        record.test = module.test_scores
        if is_main_process():  # every process has evaluated all images: one of them writes
            labels = save_predictions(folder.predictions, module, datamodule)
            folder.write(record)  # before W&B, which may take long
            tracker.finish(record, labels, datamodule.groups.names)
            folder.write(record)  # with the address of its run
    except BaseException as error:
        tracker.fail(error)
        raise
    num_images = sum(len(batch["row"]) for batch in module.predictions)
    _log_scores(record, num_images, asked.part, folder)
    return record


def _new_record(
    config: Config, choices: dict[str, Any], datamodule: "UTKFaceDataModule", module: "AgeGenderModule"
) -> Record:
    from agegender.models import measure

    return Record(
        status="running",
        name=config.name,
        choices=choices,
        config=config.plain,
        seed=config.seed,
        data=datamodule.describe(),
        num_params=measure.num_params(module.network),
        coarse_years=module.method.coarse_years,
        normalization=module.normalizer.normalization.to_dict(),
    )


def _merged(trained: dict[str, Any], asked: Evaluation) -> Config:
    """Lay what was asked for over the checkpoint's configuration, which may be older than the schema."""
    data = asked.data.given()
    if "root" in data:
        source = {"root": data["root"], "_target_": "agegender.data.source.open_faces"}
        data["source"] = {**trained["data"]["source"], **source}
        data.setdefault("split_file", None)  # the network's own data too may lie elsewhere now
    labels = {key: data[name] for name, key in _LABELS.items() if name in data}
    if labels:
        data["source"] = {**trained["data"]["source"], **data.get("source", {}), **labels}
    here = {"strategy": "auto", "num_nodes": 1, "limit_test_batches": 1.0, **asked.trainer.given()}
    at_test = {"test_time_flip": asked.test_time_flip, "test_time_shift": asked.test_time_shift}
    return parse(
        {
            **trained,
            "data": {**trained["data"], **data},
            "trainer": {**trained["trainer"], **here, "fast_dev_run": False},
            **{key: value for key, value in at_test.items() if value is not None},
        }
    )


def _available_trainer(trainer: dict[str, Any]) -> tuple[type["lightning.Trainer"], dict[str, Any]]:
    """Return the trainer's class and arguments; Lightning's own where the checkpoint's class is not installed."""
    import lightning

    from agegender.jobs import build

    try:
        return build.trainer_class(trainer), trainer
    except InputError as error:
        log.warning("%s: evaluated with lightning.Trainer", error)
        known = inspect.signature(lightning.Trainer).parameters
        return lightning.Trainer, {key: value for key, value in trainer.items() if key in known}


def _open_data(config: Config, asked: Evaluation, own: Record | None) -> tuple[Config, "UTKFaceDataModule"]:
    """Set the data up: other images than the network's own without what described those.

    Returns:
        The configuration, adjusted to the data, and the data.
    """
    from agegender.jobs import build

    datamodule = build.make_datamodule(config.plain)
    fresh = replaced(config, _not_of_training(asked))
    if asked.data.root is None or fresh.plain == config.plain:
        datamodule.setup()
        return config, datamodule
    if own is None:
        log.warning(
            "no record.json in the checkpoint's run: whether its network was trained on some of these images is unknown"
        )
    elif _is_own_data(datamodule, own):
        return config, datamodule
    datamodule = build.make_datamodule(fresh.plain)
    datamodule.setup()
    return fresh, datamodule


def _not_of_training(asked: Evaluation) -> dict[str, Any]:
    """Return the defaults of the keys that describe a training set, without those that were asked for."""
    from agegender.data.datamodule import UTKFaceDataModule

    defaults = inspect.signature(UTKFaceDataModule).parameters
    given = asked.data.given()
    return {f"data.{key}": defaults[key].default for key in _OF_TRAINING_SET if key not in given}


def _is_own_data(datamodule: "UTKFaceDataModule", own: Record) -> bool:
    try:
        datamodule.setup()
    except InputError:  # too few of these images under the training's limit, say
        return False
    return datamodule.table.fingerprint == own.data.get("fingerprint")


def _check_part(path: Path, own: Record | None, datamodule: "UTKFaceDataModule", asked: Evaluation) -> None:
    """Warn of images that the network was trained on, or refuse them, even if its own data has moved."""
    known = own.data if own is not None else {}
    if asked.data.root is not None and known.get("fingerprint") != datamodule.table.fingerprint:
        _warn_of_names(path, known.get("split_hash", ""), datamodule, asked.part)
        return
    trained = known.get("split_hash", datamodule.manifest_id)
    if trained != datamodule.manifest_id and asked.part != "all":
        if any(value is not None for value in (asked.data.split_file, asked.data.split_seed, asked.data.leak_control)):
            _warn_of_names(path, trained, datamodule, asked.part)
            return
        if asked.data.limit is not None:
            raise InputError(
                f"data.limit={asked.data.limit} makes another split than the one that this network was trained on; "
                "leave it out (trainer.limit_test_batches=10 evaluates fewer images), or give part=all"
            )
        raise InputError(
            f"{asked.data.root or known['root']} holds images that this network was trained on, by another split, or "
            f"has changed since; give the split's manifest, data.split_file=.../split-{trained[:12]}.csv, or part=all"
        )
    if asked.part == "val" and datamodule.train_part == "trainval":
        log.warning("part=val was trained on (data.train_part=trainval): its scores say nothing of other faces")


def _warn_of_names(path: Path, split_hash: str, datamodule: "UTKFaceDataModule", part: str) -> None:
    """Warn of images that bear the names of training images, as other releases, folders and crops of them do."""
    from agegender.data.sources.utkface import photograph_key
    from agegender.data.split import read_manifest

    places = [folder / f"split-{split_hash[:12]}.csv" for folder in path.absolute().parents]
    manifest = next((place for place in places if place.is_file()), None)
    if manifest is None:
        return
    trained = {photograph_key(name) or name for name, of in read_manifest(manifest).items() if of != "test"}
    rows = datamodule.split.rows(part)
    names = [datamodule.table.names[row] for row in rows]
    shared = sum((photograph_key(name) or name) in trained for name in names)
    if shared:
        log.warning(
            "%d of these %d images bear the names of images that this network was trained on", shared, len(rows)
        )


def _adjusted(config: Config, tau: float | None) -> Config:
    """Set how much of the groups' prior is taken out of the predictions, which no training depends on."""
    if tau is None:
        return config
    loss = config.loss
    if loss.logit_adjustment is None:
        raise InputError(f"loss.logit_adjustment={tau}: {loss.target} has no logits of classes to adjust")
    if loss.logit_adjustment and loss.adjust == "training":
        raise InputError(
            f"loss.logit_adjustment={tau}: this network was trained with {loss.logit_adjustment} in its loss; "
            "another value needs another fit, or one with loss.adjust=prediction"
        )
    return replaced(config, {"loss.logit_adjustment": float(tau), "loss.adjust": "prediction"})


def _output_folder(asked: Evaluation, path: Path, job: JobFolder, manifest_id: str) -> JobFolder:
    if asked.output_dir is not None:
        return JobFolder(Path(asked.output_dir).expanduser())
    changed = {
        "adjusted": asked.loss.logit_adjustment,
        "flip": asked.test_time_flip,
        "shift": asked.test_time_shift,
        "batches": asked.trainer.limit_test_batches,
    }
    suffix = "" if path.name == "best.ckpt" else f"-{path.stem}"
    suffix += "".join(f"-{key}-{value:g}" for key, value in changed.items() if value is not None)
    suffix += f"-{asked.trainer.precision}" if asked.trainer.precision is not None else ""
    return job.evaluation(f"{manifest_id[:12]}-{asked.part}{suffix}")


def _log_scores(record: Record, num_images: int, part: str, folder: JobFolder) -> None:
    log.info(
        "%s of %s images of %s (%s): %s",
        f"{num_images:,}",
        f"{record.data['counts']['available']:,}",
        record.data["root"],
        part,
        in_words(record.test, detailed=True),
    )
    log.info("The record: %s", folder.record)
