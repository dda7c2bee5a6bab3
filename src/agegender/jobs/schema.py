"""The typed configuration of a run: types and ranges of the keys that all options share. Defaults live in `conf/`."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr

from agegender.labels import CHALLENGE_AGE, MINORS_PASSED, THRESHOLD_AGE, age_groups

_Positive = Annotated[int, Field(ge=1)]
_Share = Annotated[float, Field(ge=0.0, le=1.0)]
_Limit = Annotated[int, Field(ge=0)] | Annotated[float, Field(ge=0.0, le=1.0)]  # batches, or a share of them
_SomeBatches = Annotated[int, Field(ge=1)] | Annotated[float, Field(gt=0.0, le=1.0)]
_Seed = Annotated[int, Field(ge=0, lt=2**32)]
_NOT_IN_PROJECTS = "/\\#?%:"


def _inside_runs(name: str) -> str:
    parts = name.split("/")
    if not all(parts) or {".", ".."} & set(parts) or not name.isprintable():
        raise ValueError("must be a relative path without . and .., such as try or ablation/lr")
    return name


def _not_empty(root: str) -> str:
    if not root.strip():
        raise ValueError(
            "is empty, which would be the working directory; give a folder or archive, or null to draw faces"
        )
    return root


def _without_separators(project: str) -> str:
    if any(character in project for character in _NOT_IN_PROJECTS):
        raise ValueError(
            f"W&B takes no project with one of {' '.join(_NOT_IN_PROJECTS)}; logger.wandb.entity= is its team"
        )
    return project


def _known_groups(scheme: str | list[int]) -> str | list[int]:
    try:
        age_groups(scheme)
    except ValueError as error:
        raise ValueError(str(error).partition(": ")[2]) from error  # the key and its value are named anyway
    return scheme


_Root = Annotated[str, AfterValidator(_not_empty)]
_Name = Annotated[str, AfterValidator(_inside_runs)]
_WandbProject = Annotated[str, AfterValidator(_without_separators)]
_PRECISIONS = Literal[
    "auto", "32-true", "32", 32, "bf16-mixed", "bf16-true", "bf16", "16-mixed", "16-true", "16", 16, "64-true", "64", 64
]  # fmt: skip
MONITORS = (
    "val/mean_accuracy",
    "val/age_accuracy",
    "val/gender_accuracy",
    "val/age_one_off_accuracy",
    "val/age_balanced_accuracy",
    "val/age_macro_f1",
    "val/age_mae_years",
    "val/loss",
    "val/age_loss",
    "val/gender_loss",
)


class _Keys(BaseModel):
    # Options may have keys of their own, which their classes check.
    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)

    def options(self) -> dict[str, Any]:
        """Return the keys that were given, with `_target_` and those that only the option's class knows."""
        return self.model_dump(exclude_unset=True)

    @property
    def target(self) -> str:
        """Path of the option's class."""
        return str((self.model_extra or {}).get("_target_"))


class Data(_Keys):
    """Keys of every option of `data`."""

    source: dict[str, Any]
    root: _Root | list[_Root] | None
    set: str | None = None  # checkpoints may be older than these three, and are evaluated
    labels: str | None = None
    margin: Annotated[float, Field(ge=0.0, le=2.0)] | None = None
    image_size: Annotated[int, Field(ge=1, le=4096)]
    train_part: Literal["train", "trainval"] = "train"
    batch_size: _Positive
    eval_batch_size: _Positive | None
    resident: bool | None
    num_workers: Annotated[int, Field(ge=0)] | None
    limit: _Positive | None
    age_groups: Annotated[str | list[int], AfterValidator(_known_groups)]
    leak_control: bool
    max_skipped: _Share
    cache: bool
    cache_dir: str
    split_file: str | None
    split_seed: _Seed
    split: Literal["random", "official"] | None = None
    fold: Annotated[int, Field(ge=0)] | None = None
    folds: Annotated[int, Field(ge=2)] | None = None
    years: Literal["exact", "midpoint"] | None = None


class Model(_Keys):
    """Keys of every option of `model`."""

    dropout: Annotated[float, Field(ge=0.0, lt=1.0)]
    weights: str | None
    compile: bool = False


class Loss(_Keys):
    """Keys of every option of `loss`."""

    gender_weight: Annotated[float, Field(ge=0.0)]
    logit_adjustment: Any = None  # these two only of classification losses
    adjust: Any = None


class Optimizer(_Keys):
    """Keys of every option of `optimizer`."""

    lr: Annotated[float, Field(gt=0.0)]


class Schedule(_Keys):
    """Keys of options of `schedule`."""

    warmup: _Share = 0.0
    final: _Share = 1.0


class Augment(_Keys):
    """Keys of every option of `augment`."""

    flip: _Share
    shift: Annotated[float, Field(ge=0.0, lt=1.0)]
    rotate: Annotated[float, Field(ge=0.0, le=180.0)]
    scale: Annotated[float, Field(ge=0.0, lt=1.0)]
    brightness: Annotated[float, Field(ge=0.0)]
    contrast: _Share
    erase: _Share
    mixup: Annotated[float, Field(ge=0.0)]
    start_size: _Positive | None = None
    full_size_from: _Share = 0.5


class Trainer(_Keys):
    """Lightning's arguments; a key added with + is passed on as it is."""

    accelerator: str
    devices: int | str | list[int]
    num_nodes: _Positive
    strategy: str
    precision: _PRECISIONS
    max_epochs: _Positive
    deterministic: bool | Literal["auto", "warn"]
    gradient_clip_val: Annotated[float, Field(ge=0.0)] | None
    accumulate_grad_batches: _Positive
    val_check_interval: _SomeBatches
    check_val_every_n_epoch: int | None = None
    limit_train_batches: _SomeBatches  # none: a record of a network that was not trained, or not tested
    limit_val_batches: _Limit
    limit_test_batches: _SomeBatches
    overfit_batches: _Limit
    fast_dev_run: bool | _Positive
    log_every_n_steps: _Positive
    profiler: Literal["simple", "advanced", "pytorch"] | None
    enable_progress_bar: bool


class Wandb(_Keys):
    """Keys of `logger.wandb`."""

    project: _WandbProject | None = None
    entity: str | None = None
    mode: Literal["online", "offline", "disabled"] | None = None
    group: str | None = None
    notes: str | None = None
    log_model: bool | Literal["best"] = False


class Loggers(_Keys):
    """The loggers by their names: W&B, and any Lightning logger by its `_target_`."""

    wandb: Wandb | None = None

    def entries(self) -> dict[str, dict[str, Any]]:
        """Return the keys of each logger, by its name, without those that are null."""
        own = {} if self.wandb is None else {"wandb": self.wandb.model_dump()}
        return own | {key: entry for key, entry in (self.model_extra or {}).items() if entry is not None}


class Search(_Keys):
    """What the job of a search's trial knows of it."""

    trial: Annotated[int, Field(ge=0)] | None = None


class Report(_Keys):
    """Keys of the sweep's report."""

    threshold_age: Annotated[float, Field(gt=0.0)] = THRESHOLD_AGE
    challenge_age: Annotated[float, Field(gt=0.0)] = CHALLENGE_AGE
    minors_passed: Annotated[float, Field(gt=0.0, lt=1.0)] = MINORS_PASSED


class Config(BaseModel):
    """A training job's resolved configuration."""

    model_config = ConfigDict(strict=True, extra="allow")

    name: _Name
    seed: _Seed
    runs_dir: str
    resume: bool | Literal["extend"]
    keep_optimizer: bool = True
    on_error: Literal["continue", "stop"]
    ckpt_path: str | None
    tags: list[str]
    monitor: Literal[MONITORS]  # pyright: ignore[reportInvalidTypeForm]
    test_time_flip: bool = False
    test_time_shift: Annotated[float, Field(ge=0.0, lt=0.5)] = 0.0
    weight_averaging: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    early_stopping: _Positive | None
    checkpoint_minutes: Annotated[float, Field(gt=0.0)] | None = 15
    data: Data
    model: Model
    loss: Loss
    optimizer: Optimizer
    schedule: Schedule | None = None  # checkpoints may be older than these two, and are evaluated
    augment: Augment | None = None
    trainer: Trainer
    logger: Loggers
    callbacks: dict[str, dict[str, Any] | None] = {}
    report: Report = Report()
    search: Search = Search()
    _plain: dict[str, Any] = PrivateAttr(default_factory=dict)

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "Config":
        """Validate plain containers, and keep them."""
        config = cls.model_validate(plain)
        config._plain = plain
        return config

    @property
    def plain(self) -> dict[str, Any]:
        """The configuration as it was given: resolved, in plain containers."""
        return self._plain

    @property
    def runs_folder(self) -> Path:
        """The directory that all jobs of a name share: `runs/<name>`."""
        return Path(self.runs_dir) / self.name


class _Overrides(BaseModel):
    model_config = ConfigDict(extra="allow")

    def given(self) -> dict[str, Any]:
        """Return the keys that are not null: the others are as in the checkpoint's own run."""
        return {key: value for key, value in self.model_dump().items() if value is not None}


class DataOverrides(_Overrides):
    """Keys of `data` that `eval.py` treats by themselves; the others reach the data module as they are."""

    root: Any = None
    split_file: Any = None
    split_seed: Any = None
    leak_control: Any = None
    limit: Any = None


class TrainerOverrides(_Overrides):
    """Keys of `trainer` that `eval.py` treats by themselves; the others reach the trainer as they are."""

    limit_test_batches: Any = None
    precision: Any = None


class LossOverrides(_Overrides):
    """Keys of `loss` that can be changed after the training."""

    logit_adjustment: float | None = None


class Evaluation(BaseModel):
    """The configuration of `eval.py`: null takes the checkpoint's value; others are checked together with those."""

    model_config = ConfigDict(coerce_numbers_to_str=True)  # a file may be named 2026

    ckpt_path: str | None
    output_dir: str | None
    part: Any
    test_time_flip: Any
    test_time_shift: Any
    loss: LossOverrides
    data: DataOverrides
    trainer: TrainerOverrides
    logger: Loggers = Loggers()
