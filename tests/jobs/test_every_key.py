"""Every key that `python train.py --cfg job` shows, and every argument of Lightning's trainer, trains as another value.

The keys come from the configuration and from Lightning's signature: one that lacks a value in a table below fails.
"""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from composing import compose_config
from omegaconf import OmegaConf
from paths import CONF
from tiny_training import COMPACT, Trains

from agegender.records import record
from agegender.system.errors import InputError

SMALL_CNN = ("model=small_cnn", "model.channels=[2,2,2,2,2,2]", "data.image_size=128", "data.limit=48")

# Another value of every key of the default configuration, with what it needs. {faces} is a folder of pictures, {run} a
# run of them, {labelled} a folder of pictures with faces.csv, {tmp} an empty directory.
VALUES: dict[str, str] = {
    "data.root": "{faces}",
    "data.source.root": "{faces}",
    "data.source.num_synthetic": "30 data.root=null data.limit=null",
    "data.source.synthetic_seed": "1 data.root=null data.source.num_synthetic=30",
    "data.source.cache_dir": "{tmp}",
    "data.image_size": "9",
    "data.train_part": "trainval",
    "data.batch_size": "16",
    "data.eval_batch_size": "7",
    "data.resident": "false",
    "data.num_workers": "0",
    "data.limit": "64",
    "data.age_groups": "nearest",
    "data.leak_control": "false",
    "data.max_skipped": "0.5",
    "data.cache": "false",
    "data.cache_dir": "{tmp}",
    "data.split_file": "{run}/split.csv",
    "data.split_seed": "1",
    "data.set": "faces_csv data.root={labelled}",
    "data.labels": "faces.csv data.root={labelled}",
    "data.margin": "0.5",
    "data.source.set_name": "faces_csv data.root={labelled}",
    "data.source.labels": "faces.csv data.root={labelled}",
    "data.source.margin": "0.5",
    "data.split": "official data.root={labelled} data.labels=faces.csv",
    "data.fold": "1 data.folds=3",
    "data.folds": "3 data.fold=0",
    "data.years": "midpoint",
    "model.channels": "[3,3,3,3,3,3]",
    "model.kernels": "[7,5,3,3,3,1]",
    "model.strides": "[3,1,1,1,1,1]",
    "model.pools": "[3,3,3,0,0,2]",
    "model.num_hidden": "4",
    "model.dropout": "0.1",
    "model.weights": "{run}/checkpoints/best.ckpt",
    "model.compile": "true",
    "loss.weighting": "inverse",
    "loss.effective_beta": "0.9 loss.weighting=effective",
    "loss.normalization": "weights loss.weighting=inverse",
    "loss.logit_adjustment": "1.0",
    "loss.adjust": "prediction loss.logit_adjustment=1.0",
    "loss.gender_weight": "0.5",
    "optimizer.lr": "0.01",
    "optimizer.betas": "[0.8,0.9]",
    "optimizer.eps": "1e-6",
    "optimizer.weight_decay": "0.01",
    "optimizer.fused": "false",
    "augment.flip": "0.5",
    "augment.shift": "0.1",
    "augment.rotate": "10.0",
    "augment.scale": "0.1",
    "augment.brightness": "0.1",
    "augment.contrast": "0.1",
    "augment.erase": "0.5",
    "augment.mixup": "0.2",
    "augment.start_size": "4",
    "augment.full_size_from": "0.7 augment.start_size=4",
    "trainer.accelerator": "cpu",
    "trainer.devices": "auto",
    "trainer.precision": "32-true",
    "trainer.max_epochs": "2",
    "trainer.deterministic": "warn",
    "trainer.gradient_clip_val": "1.0",
    "trainer.accumulate_grad_batches": "2",
    "trainer.val_check_interval": "0.5",
    "trainer.limit_train_batches": "1",
    "trainer.limit_val_batches": "0",
    "trainer.limit_test_batches": "1",
    "trainer.overfit_batches": "1",
    "trainer.fast_dev_run": "2",
    "trainer.log_every_n_steps": "1 logger=csv",
    "trainer.profiler": "simple",
    "trainer.enable_progress_bar": "true",
    "name": "another/name",
    "seed": "1",
    "runs_dir": "{tmp}",
    "resume": "false",
    "keep_optimizer": "false",
    "on_error": "stop",
    "ckpt_path": "{run}/checkpoints/best.ckpt",
    "tags": "[one,two]",
    "monitor": "val/loss",
    "test_time_flip": "true",
    "test_time_shift": "0.1",
    "weight_averaging": "0.9",
    "checkpoint_minutes": "0.0001",
    "early_stopping": "1 trainer.max_epochs=2",
    "report.threshold_age": "21",
    "report.challenge_age": "30",
    "report.minors_passed": "0.1",
}
NEEDS_MORE = {  # than one training in this process; where it is tested
    "trainer.num_nodes": "tests/slurm/test_ddp.py",
    "trainer.strategy": "tests/e2e/test_one_job.py",
    "logger.wandb.project": "tests/tracking/test_wandb_job.py",
    "logger.wandb.entity": "tests/tracking/test_wandb_job.py",
    "logger.wandb.mode": "tests/tracking/test_wandb_job.py",
    "logger.wandb.group": "tests/tracking/test_wandb_job.py",
    "logger.wandb.notes": "tests/tracking/test_wandb_job.py",
    "logger.wandb.log_model": "tests/tracking/test_wandb_job.py",
}
# Lightning's arguments that `--cfg job` does not show.
LIGHTNING: dict[str, str] = {
    "min_epochs": "1",
    "max_steps": "1",
    "min_steps": "2",
    "max_time": "00:01:00:00",
    "limit_predict_batches": "1",
    "check_val_every_n_epoch": "2 trainer.max_epochs=3",
    "num_sanity_val_steps": "2",
    "enable_checkpointing": "true",
    "enable_model_summary": "true",
    "gradient_clip_algorithm": "value trainer.gradient_clip_val=1.0",
    "benchmark": "true trainer.deterministic=false",
    "inference_mode": "false",
    "detect_anomaly": "true",
    "sync_batchnorm": "true",
    "reload_dataloaders_every_n_epochs": "1 trainer.max_epochs=2",
    "enable_autolog_hparams": "false",
}
REFUSED: dict[str, tuple[str, str]] = {  # the override, and what its line says
    "trainer.limit_train_batches": ("trainer.limit_train_batches=0", "trainer.limit_train_batches=0"),
    "trainer.limit_test_batches": ("trainer.limit_test_batches=0", "trainer.limit_test_batches=0"),
    "a share of the test": ("trainer.limit_test_batches=0.001", "less than one of 1 batches"),
    "a share of the training": ("trainer.limit_train_batches=0.001", "Try at least"),
    "val_check_interval": ("trainer.val_check_interval=0", "trainer.val_check_interval=0"),
    "too late a validation": ("trainer.val_check_interval=1000", "val_check_interval"),
    "max_steps": ("+trainer.max_steps=0", "ended before its first step"),
    "max_time": ("+trainer.max_time=00:00:00:00", "ended before its first step"),
    "callbacks": ("+trainer.callbacks=[]", "trainer.callbacks=[] is decided by the framework"),
    "logger": ("+trainer.logger=true", "choose it with logger="),
    "plugins": ("+trainer.plugins=[]", "trainer.precision and trainer.strategy choose them"),
    "default_root_dir": ("+trainer.default_root_dir=x", "name= and runs_dir="),
    "use_distributed_sampler": ("+trainer.use_distributed_sampler=true", "the data module divides"),
    "enable_checkpointing": ("+trainer.enable_checkpointing=false", "the test needs best.ckpt"),
    "barebones": ("+trainer.barebones=true", "barebones"),
    "model_registry": ("+trainer.model_registry=mine", "trainer.model_registry=mine is decided by the framework"),
    "no validation": ("trainer.limit_val_batches=0 early_stopping=1", "leaves no validation, which early_stopping=1"),
    "a late validation": ("+trainer.check_val_every_n_epoch=3 early_stopping=1", "check_val_every_n_epoch=3 leaves no"),
}
OPTIMIZERS = sorted(path.stem for path in (CONF / "optimizer").glob("*.yaml"))


def flatten(config: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in config.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{key}.")
        elif key not in ("_target_", "_partial_"):
            yield f"{prefix}{key}"


def configured() -> list[str]:
    return list(flatten(OmegaConf.to_container(compose_config())))  # pyright: ignore


KEYS = configured()
ARGUMENTS = [
    name
    for name in inspect.signature(lightning.Trainer.__init__).parameters
    if name != "self" and f"trainer.{name}" not in KEYS
]


@pytest.fixture(scope="module")
def trained_run(trains: Trains, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete run of the default values."""
    folder = tmp_path_factory.mktemp("run")
    _, entry = trains(folder)
    assert entry is not None
    (folder / "job" / "split.csv").write_bytes(Path(entry.data["split_file"]).read_bytes())
    return folder / "job"


@pytest.fixture(scope="module")
def labelled_folder(face_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pictures with a table of their labels."""
    folder = tmp_path_factory.mktemp("labelled")
    rows = ["image,age,gender,split"]
    for number, path in enumerate(sorted(face_folder.iterdir())):
        age, gender, *_ = path.name.split("_")
        (folder / path.name).write_bytes(path.read_bytes())
        rows.append(f"{path.name},{age},{'mf'[int(gender)]},{('train', 'val', 'train', 'test')[number % 4]}")
    (folder / "faces.csv").write_text("\n".join(rows))
    return folder


def fill(text: str, *, faces: Path, labelled: Path, run: Path, tmp: Path) -> list[str]:
    names = {"{faces}": str(faces), "{labelled}": str(labelled), "{run}": str(run), "{tmp}": str(tmp / "new")}
    for name, value in names.items():
        text = text.replace(name, value)
    return text.split()


def assert_trained_and_tested(status: str, entry: record.Record | None) -> record.Record:
    assert status == "complete" and entry is not None and entry.status == "complete"
    assert entry.history and entry.test["age_accuracy"] is not None and entry.best_epoch is not None
    assert entry.num_params is not None and entry.time["train_seconds"] > 0
    return entry


def test_every_key_and_every_argument_of_lightnings_has_a_value_here() -> None:
    assert set(KEYS) == VALUES.keys() | NEEDS_MORE.keys()
    assert set(ARGUMENTS) == LIGHTNING.keys() | (REFUSED.keys() & set(ARGUMENTS))
    assert all((CONF.parent / place).is_file() for place in NEEDS_MORE.values())


@pytest.mark.parametrize("key", VALUES)
def test_a_key_trains_as_another_value(
    key: str,
    trains: Trains,
    trained_run: Path,
    face_folder: Path,
    labelled_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    is_of_small_cnn = key.startswith("model.") and key not in ("model.weights", "model.compile")
    value, *needed = fill(VALUES[key], faces=face_folder, labelled=labelled_folder, run=trained_run, tmp=tmp_path)
    if key == "model.compile":  # without a compiler of C++, and its half minute
        compile_module = torch.nn.Module.compile
        monkeypatch.setattr(torch.nn.Module, "compile", lambda module: compile_module(module, backend="eager"))
    status, entry = trains(tmp_path, *needed, f"{key}={value}", network=SMALL_CNN if is_of_small_cnn else COMPACT)
    if key == "trainer.fast_dev_run":
        assert (status, entry) == ("checked", None) and not (tmp_path / "job").exists()
        return
    config = assert_trained_and_tested(status, entry).config
    expected = OmegaConf.create(f"value: {value}").value
    assert value_at(config, key) == (OmegaConf.to_container(expected) if OmegaConf.is_config(expected) else expected)


def value_at(config: dict[str, Any], key: str) -> Any:
    for name in key.split("."):
        config = config[name]
    return config


@pytest.mark.parametrize("argument", LIGHTNING)
def test_an_argument_of_lightnings_trains(argument: str, trains: Trains, tmp_path: Path) -> None:
    value, *needed = LIGHTNING[argument].split()
    assert_trained_and_tested(*trains(tmp_path, f"+trainer.{argument}={value}", *needed))


@pytest.mark.parametrize("case", REFUSED)
def test_a_value_that_cannot_be_is_one_line_and_no_complete_record(case: str, trains: Trains, tmp_path: Path) -> None:
    overrides, told = REFUSED[case]
    with pytest.raises(InputError) as refused:
        trains(tmp_path, *overrides.split())
    assert told in str(refused.value) and "multiple values" not in str(refused.value)
    entry = record.read(tmp_path / "job")
    assert entry is None or entry.status == "running"  # which the job's own end makes `failed`


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "bf16-true"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_trains_with_clipped_gradients_in_every_precision(
    optimizer: str, precision: str, trains: Trains, tmp_path: Path
) -> None:
    settings = (f"optimizer={optimizer}", f"trainer.precision={precision}", "trainer.gradient_clip_val=1e-3")
    assert_trained_and_tested(*trains(tmp_path, *settings, "trainer.accumulate_grad_batches=2"))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_trains_with_a_schedule_and_averaged_weights(
    optimizer: str, trains: Trains, tmp_path: Path
) -> None:
    settings = (f"optimizer={optimizer}", "schedule=one_cycle", "weight_averaging=0.9", "augment=strong")
    assert_trained_and_tested(*trains(tmp_path, *settings))


def keys_of_options(group: str) -> list[tuple[str, str]]:
    found = []
    for path in sorted((CONF / group).glob("*.yaml")):
        own = OmegaConf.to_container(compose_config(f"{group}={path.stem}")[group])
        found += [(path.stem, key) for key in flatten(own)]  # pyright: ignore[reportArgumentType]
    return found


OPTIONS_VALUES = {  # of the keys of every optimizer and schedule
    "lr": "0.005",
    "betas": "[0.8,0.9]",
    "eps": "1e-6",
    "weight_decay": "0.01",
    "fused": "false",
    "momentum": "0.5 optimizer.nesterov=false",
    "nesterov": "false",
    "fallback_lr_scale": "0.2",
    "warmup": "0.5",
    "final": "0.5",
}


@pytest.mark.parametrize(
    ("group", "option", "key"),
    [(group, *one) for group in ("optimizer", "schedule") for one in keys_of_options(group)],
)
def test_a_key_of_every_optimizer_and_schedule_trains_as_another_value(
    group: str, option: str, key: str, trains: Trains, tmp_path: Path
) -> None:
    value, *needed = OPTIONS_VALUES[key].split()
    assert_trained_and_tested(*trains(tmp_path, f"{group}={option}", *needed, f"{group}.{key}={value}"))
