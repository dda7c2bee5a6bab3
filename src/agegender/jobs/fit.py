"""Fit, test and measure one job."""

import logging
import math
import os
import platform
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import lightning
import torch

from agegender.data.datamodule import UTKFaceDataModule
from agegender.data.split import save_manifest
from agegender.jobs import build
from agegender.jobs.callbacks import can_resume, make_callbacks
from agegender.jobs.predictions import save_predictions
from agegender.jobs.pruning import make_pruning
from agegender.jobs.schema import Config
from agegender.models import measure
from agegender.records.job_folder import JobFolder
from agegender.records.record import Record
from agegender.records.scores import in_words
from agegender.system.devices import jobs_per_gpu
from agegender.system.errors import InputError
from agegender.system.processes import is_main_process
from agegender.system.provenance import cpu_name
from agegender.tracking.job import JobTracker
from agegender.training import timing, trainers
from agegender.training.checkpoint_file import read_checkpoint, write_checkpoint
from agegender.training.curves import Curves
from agegender.training.epoch_log import EpochLog
from agegender.training.history import History
from agegender.training.module import AgeGenderModule
from agegender.training.precision import uses_gpu

log = logging.getLogger(__name__)


def train(config: Config, folder: JobFolder, record: Record, write: Callable[[Record], None]) -> str:
    """Train and test a job and complete its record.

    Args:
        config: of the job.
        folder: the job's directory; an attempt that it holds is resumed.
        record: of the running job; its results are filled in.
        write: saves the record.

    Returns:
        `complete`; or `pruned`, without a test, where the search that it belongs to ended it.

    Raises:
        InputError: the data, the network or the hardware is not what the configuration needs.
    """
    trainers.quiet_libraries()
    is_tracked = is_main_process() and not config.trainer.fast_dev_run  # a batch of everything is no result
    entries = config.logger.entries() if is_tracked else {}
    tracker = JobTracker(entries, record, folder.path, config.runs_folder)
    try:
        build.trainer_class(config.trainer.options())  # refused before any image is read
        return _train(config, folder, record, write, tracker)
    except BaseException as error:
        tracker.fail(error)
        raise


def _train(
    config: Config, folder: JobFolder, record: Record, write: Callable[[Record], None], tracker: JobTracker
) -> str:
    timing.reset_peak_memory(on_gpu=uses_gpu(config.trainer.accelerator))
    module = build.make_module(config.plain)
    _measure(config, module, record)
    datamodule = build.make_datamodule(config.plain)
    datamodule.setup()
    _check_same_split(record, datamodule.manifest_id)
    record.data = {
        **datamodule.describe(),
        "split_file": str(save_manifest(config.runs_folder, datamodule.manifest)),
    }
    if module.method.needs_years:
        datamodule.check_years()
    _check_monitor(config.monitor, record.data.get("labelled"))
    group_of_age = torch.from_numpy(datamodule.groups.group_of_age)
    module.method.prepare(datamodule.train_age_counts(), group_of_age)
    record.coarse_years = module.method.coarse_years
    record.normalization = module.normalizer.normalization.to_dict()
    if config.model.compile:
        torch.compiler.reset()  # the limit of recompilations counts over the jobs of a process
        module.network.compile()  # in place: names in checkpoints stay
    write(record)
    labels = _fit_and_test(config, folder, module, datamodule, tracker, record, write)
    status = "pruned" if labels is None else "complete"
    if not is_main_process():  # every process of a distributed job has tested all images: one of them writes
        return status
    record.status = status
    write(record)
    if status == "pruned" or not config.keep_optimizer:
        _drop_optimizer_state(folder.last)
    tracker.finish(record, labels, datamodule.groups.names)
    write(record)  # with the address of its run, which may have come meanwhile
    _log_end(config, folder, record)
    return record.status


def _check_monitor(monitor: str, labelled: dict[str, dict[str, int]] | None) -> None:
    """Refuse to choose the epoch by a score that the validation part has no labels for.

    Args:
        monitor: name of the score.
        labelled: numbers of images by part and label, of a set with gaps.
    """
    if labelled is None or monitor.endswith("_loss"):
        return
    needed = {"val/age": ("age_group", "an age group"), "val/gen": ("gender", "a gender")}.get(monitor[:7])
    if monitor == "val/age_mae_years":
        needed = ("age_years", "an exact age")
    if needed is not None and not labelled["val"][needed[0]]:
        raise InputError(f"monitor={monitor}: no validation image has {needed[1]}; choose another score")


def _check_same_split(record: Record, manifest_id: str) -> None:
    earlier_id = record.data.get("split_hash", manifest_id)  # of the attempt whose checkpoint is resumed
    if earlier_id != manifest_id:
        raise InputError(
            f"the images have changed since this job was started: their split was {earlier_id[:12]}, now it is "
            f"{manifest_id[:12]}, whose test part holds images that were trained on; give the same images again, or "
            "resume=false to restart the training"
        )


def _log_end(config: Config, folder: JobFolder, record: Record) -> None:
    if config.trainer.fast_dev_run:
        return  # whoever asked for it says so
    if record.status == "pruned":
        log.info(
            "%s: pruned after epoch %d of %d: other trials of the search did better",
            folder,
            len(record.history),
            config.trainer.max_epochs,
        )
        return
    log.info("%s: complete in %.0f s; test %s", folder, record.time["fit_seconds"], in_words(record.test))


def _measure(config: Config, module: AgeGenderModule, record: Record) -> None:
    record.num_params = measure.num_params(module.network)
    record.num_params_trainable = measure.num_params(module.network, trainable=True)
    builder = build.network_builder(config.plain, module.method.num_outputs)
    record.network = measure.layers(builder, config.data.image_size)
    record.gmacs = sum(layer["macs"] for layer in record.network) / 1e9


def _fit_and_test(
    config: Config,
    folder: JobFolder,
    module: AgeGenderModule,
    datamodule: UTKFaceDataModule,
    tracker: JobTracker,
    record: Record,
    write: Callable[[Record], None],
) -> dict[str, list[int]] | None:
    """Fill in the record and write the predictions.

    Returns:
        Labels of the test images, as `save_predictions` returns them; None where the job was pruned, and so not tested.
    """
    timer = timing.FitTimer(jobs_per_gpu())
    callbacks = [timer, History(record.history), EpochLog(timer, lambda: write(record))]
    callbacks += make_callbacks(config, folder)
    callbacks += [Curves(timer)] if tracker.loggers else []
    pruning = make_pruning(config)
    callbacks += [pruning] if pruning is not None else []
    trainer = _make_trainer(config, folder, callbacks, tracker)
    record.environment = describe_environment(trainer)
    tracker.describe(record, partial(_epochs_done, trainer))
    resumed = can_resume(folder)
    if resumed:
        log.info("%s: resuming from its last checkpoint", folder)
    _check_tested(config.trainer.limit_test_batches, datamodule, trainer.strategy.root_device)
    with trainers.refused_arguments():
        trainer.fit(module, datamodule=datamodule, ckpt_path=folder.last if resumed else None, weights_only=True)
    if trainer.interrupted:
        raise KeyboardInterrupt
    _check_trained(trainer)
    has_best = folder.best.exists()
    if has_best:
        chosen = read_checkpoint(folder.best)
        # A checkpoint that was written at the end of a training is numbered as the epoch that would have followed.
        record.best_epoch = min(chosen["epoch"] + 1, max(len(record.history), 1))
        record.val = chosen["agegender_val"]
    labels = None
    if pruning is None or not pruning.pruned:
        tested = folder.best if has_best else None
        trainer.test(module, datamodule=datamodule, ckpt_path=tested, verbose=False, weights_only=True)
        record.test = module.test_scores
        labels = save_predictions(folder.predictions, module, datamodule) if is_main_process() else {}
        if datamodule.train_part != "trainval":
            _predict_validation(folder.validation_predictions, trainer, module, datamodule)
    record.time = {
        "fit_seconds": timer.fit_seconds,
        "train_seconds": timer.train_seconds,
        "images_per_second": timer.images_per_second,
        "peak_memory_bytes": timing.peak_memory_bytes(trainer.strategy.root_device.type),
        "resident_bytes": datamodule.resident_bytes,
        "jobs_per_gpu": timer.jobs_per_gpu,
        "resumed": resumed,
        "checkpoint_bytes": folder.best.stat().st_size if has_best else None,
    }
    return labels


def _make_trainer(
    config: Config, folder: JobFolder, callbacks: list[lightning.Callback], tracker: JobTracker
) -> lightning.Trainer:
    arguments = config.trainer.options()
    if config.data.train_part == "trainval":
        arguments["limit_val_batches"] = 0
    if config.augment is not None and config.augment.start_size is not None:
        arguments.setdefault("benchmark", False)  # the autotuner would start again at each size
    kind = build.trainer_class(arguments)
    loggers = tracker.loggers or False
    return trainers.make_trainer(arguments, folder=folder.path, callbacks=callbacks, logger=loggers, kind=kind)


def _epochs_done(trainer: lightning.Trainer) -> float:
    done = trainer.fit_loop.epoch_loop.batch_progress.current.completed
    return trainer.current_epoch + done / max(trainer.num_training_batches, 1)


def _check_tested(limit: int | float, datamodule: UTKFaceDataModule, device: torch.device) -> None:
    """Refuse a share of the test that is less than a batch before the training, not after it."""
    batch_size = datamodule.evaluation_batch_size(device)
    num_batches = math.ceil(len(datamodule.split.rows("test")) / batch_size)
    if isinstance(limit, float) and limit * num_batches < 1:
        raise InputError(
            f"trainer.limit_test_batches={limit} is less than one of {num_batches} batches, and nothing would be "
            f"tested; give at least {math.ceil(1000 / num_batches) / 1000}, or a number of batches"
        )


def _check_trained(trainer: lightning.Trainer) -> None:
    if trainer.global_step == 0:
        raise InputError(
            "the training ended before its first step, and there is nothing to test; check trainer.max_steps, "
            "trainer.max_time and the other limits under trainer"
        )


def _predict_validation(
    path: Path, trainer: lightning.Trainer, module: AgeGenderModule, datamodule: UTKFaceDataModule
) -> None:
    """Write what the tested weights predict for the validation part: thresholds are chosen there, not on the test."""
    loggers = trainer.loggers
    trainer.loggers = []  # its scores are no test scores
    try:
        loader = datamodule.evaluation_loader("val", trainer.strategy.root_device)
        trainer.test(module, dataloaders=loader, verbose=False)
    finally:
        trainer.loggers = loggers
    if is_main_process():
        save_predictions(path, module, datamodule)


def has_optimizer(path: Path) -> bool:
    """Whether a checkpoint holds the optimizer's state, without which it cannot be trained further."""
    return bool(read_checkpoint(path).get("optimizer_states"))


def _drop_optimizer_state(path: Path) -> None:
    """Shrink a finished job's last checkpoint to a third: nothing will be trained from it any more."""
    if path.exists():
        try:
            content = read_checkpoint(path)
            content["optimizer_states"] = []
            write_checkpoint(path, content)
        except (OSError, InputError) as error:  # the job is complete without it
            log.warning("%s stays as large as it is: %s", path, error)


def describe_environment(trainer: lightning.Trainer) -> dict[str, Any]:
    """Describe what a job ran on, for its record."""
    device = trainer.strategy.root_device
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "lightning": lightning.__version__,
        "platform": platform.platform(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name(),
        "accelerator": device.type,
        "num_devices": trainer.world_size,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "precision": str(trainer.precision),
    }
