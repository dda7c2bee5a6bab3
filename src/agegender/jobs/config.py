"""What a run may be told: types and ranges of the keys that all options share. Defaults live in `conf/`."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from agegender.jobs.combinations import check_decided, check_validated
from agegender.labels import CHALLENGE_AGE, MINORS_PASSED, SCHEMES, THRESHOLD_AGE
from agegender.system.errors import InputError

_Positive = Annotated[int, Field(ge=1)]
_Share = Annotated[float, Field(ge=0.0, le=1.0)]
_Limit = Annotated[int, Field(ge=0)] | Annotated[float, Field(ge=0.0, le=1.0)]  # batches, or a share of them
_SomeBatches = Annotated[int, Field(ge=1)] | Annotated[float, Field(gt=0.0, le=1.0)]
_Seed = Annotated[int, Field(ge=0, lt=2**32)]


def _inside_runs(name: str) -> str:
    parts = name.split("/")
    if not all(parts) or {".", ".."} & set(parts) or not name.isprintable():
        raise ValueError("must be a relative path without . and .., such as try or ablation/lr")
    return name


def _named(root: str) -> str:
    if not root.strip():
        raise ValueError(
            "is empty, which would be the working directory; give a folder or archive, or null to draw faces"
        )
    return root


_Root = Annotated[str, AfterValidator(_named)]
_Name = Annotated[str, AfterValidator(_inside_runs)]
_PRECISIONS = Literal[
    "auto", "32-true", "32", 32, "bf16-mixed", "bf16-true", "bf16", "16-mixed", "16-true", "16", 16, "64-true", "64", 64
]  # fmt: skip
MONITORS = tuple(
    f"val/{score}"
    for score in (
        *("mean_accuracy", "age_accuracy", "gender_accuracy", "age_one_off_accuracy", "age_balanced_accuracy"),
        *("age_macro_f1", "age_mae_years", "loss", "age_loss", "gender_loss"),
    )
)


class _Keys(BaseModel):
    # Options may have keys of their own: their classes check them.
    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)


class Data(_Keys):
    """Keys of every option of `data`."""

    root: _Root | list[_Root] | None
    image_size: Annotated[int, Field(ge=1, le=4096)]
    train_part: Literal["train", "trainval"] = "train"
    batch_size: _Positive
    eval_batch_size: _Positive | None
    resident: bool | None
    num_workers: Annotated[int, Field(ge=0)] | None
    limit: _Positive | None
    age_groups: Literal[SCHEMES]  # pyright: ignore[reportInvalidTypeForm]
    leak_control: bool
    max_skipped: _Share
    cache: bool
    cache_dir: str
    split_file: str | None
    split_seed: _Seed


class Model(_Keys):
    """Keys of every option of `model`."""

    dropout: Annotated[float, Field(ge=0.0, lt=1.0)]
    weights: str | None
    compile: bool = False


class Loss(_Keys):
    """Keys of every option of `loss`."""

    gender_weight: Annotated[float, Field(ge=0.0)]


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
    limit_train_batches: _SomeBatches  # none: a record of a network that was not trained, or not tested
    limit_val_batches: _Limit
    limit_test_batches: _SomeBatches
    overfit_batches: _Limit
    fast_dev_run: bool | _Positive
    log_every_n_steps: _Positive
    profiler: Literal["simple", "advanced", "pytorch"] | None
    enable_progress_bar: bool


class Logger(_Keys):
    """Keys of every option of `logger`."""

    kind: Literal["wandb", "csv", "none"]
    project: str
    entity: str | None
    mode: Literal["online", "offline", "disabled"] | None


class Search(_Keys):
    """What a search tells the job of a trial."""

    trial: Annotated[int, Field(ge=0)] | None = None


class Report(_Keys):
    """What the report is told."""

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
    logger: Logger
    callbacks: dict[str, dict[str, Any] | None] = {}
    report: Report = Report()
    search: Search = Search()


def known_keys() -> dict[str, Any]:
    """Return the keys that are read, see `unknown.refuse_unknown`; options of most groups have keys of their own."""
    closed = {"logger": Logger, "report": Report, "search": Search}
    fields = {key: None for key in Config.model_fields}
    return fields | {key: dict.fromkeys(section.model_fields) for key, section in closed.items()}


def check(config: dict[str, Any]) -> None:
    """Check types and ranges.

    Args:
        config: resolved, in plain containers.

    Raises:
        InputError: names each key that is wrong, with its value and what was expected.
    """
    try:
        Config.model_validate(config)
    except ValidationError as error:
        told: dict[str, list[str]] = {}
        for mistake in error.errors():
            if mistake["type"] == "missing":
                told[f"{'.'.join(map(str, mistake['loc']))} is missing"] = ["give it a value"]
                continue
            key = ".".join(str(part) for part in mistake["loc"] if _is_key(config, mistake["loc"], part))
            told.setdefault(f"{key}={mistake['input']}", []).append(mistake["msg"])
        raise InputError("; ".join(f"{key}: {' or '.join(dict.fromkeys(why))}" for key, why in told.items())) from error
    check_decided(config["trainer"])
    check_validated(config)


def _is_key(config: Any, location: tuple[int | str, ...], part: int | str) -> bool:
    """Tell a key of the configuration from the name of a union's member, which pydantic adds to a location."""
    for key in location:
        if not isinstance(config, dict) or key not in config:
            return False
        if key == part:
            return True
        config = config[key]
    return False
