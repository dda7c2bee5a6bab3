"""What Weights & Biases is told of a job and of a sweep. Its failure is logged and never fails a job."""

import logging
import netrc
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from lightning.pytorch.loggers import CSVLogger, Logger

from agegender.errors import first_line
from agegender.labels import GENDERS
from agegender.record import Record

_INIT_SECONDS = 45  # to reach the server; then the run is written offline

log = logging.getLogger(__name__)


class JobTracker:
    """The loggers of one job.

    W&B works in a thread of its own, one thing after the other: training waits neither for its import and its server
    at the start, nor for what is logged later, only in `close`.

    Args:
        settings: the `logger` keys of the configuration.
        record: of the job; its configuration and its W&B id are used, the id is made where it is missing.
        folder: the job's directory.
    """

    def __init__(self, settings: dict[str, Any], record: Record, folder: Path) -> None:
        self._run: _BackgroundRun | None = None
        self.logger: Any = False
        if settings["kind"] == "csv":
            self.logger = CSVLogger(folder, name="", version="")
        if settings["kind"] == "wandb":
            record.wandb_id = record.wandb_id or secrets.token_hex(4)
            self._run = _BackgroundRun(
                settings,
                folder,
                id=record.wandb_id,
                name="/".join(str(record.choices.get(key, key)) for key in ("model", "loss")) + f"/{record.seed}",
                group=record.name,
                job_type="train",
                tags=[*record.config["tags"], str(record.choices.get("model")), str(record.choices.get("loss"))],
                config={**record.config, "choices": record.choices},
            )
            self.logger = _RunLogger(self._run)

    def describe_model(self, num_params: int, num_trainable: int, gmacs: float) -> None:
        """Put the network's cost into the summary."""
        self._summarize(
            {"model/params/total": num_params, "model/params/trainable": num_trainable, "model/gmacs": gmacs}
        )

    def finish(self, record: Record, labels: Mapping[str, Sequence[int]], group_names: Sequence[str]) -> None:
        """Put a complete job's results into the summary, and both confusion matrices.

        Args:
            record: complete.
            labels: `group`, `group_predicted`, `gender`, `gender_predicted` of each test image.
            group_names: of the age groups.
        """
        values = {f"test/{key}": value for key, value in record.test.items() if isinstance(value, float)}
        values |= {f"time/{key}": value for key, value in record.time.items()}
        self._summarize(values | {"best_epoch": record.best_epoch, "status": record.status})
        if self._run is not None:
            self._run.then(lambda run: run.log(_confusion_charts(labels, group_names)))
        self.close(0)

    def close(self, exit_code: int) -> None:
        """End the run, so that the next job of the process gets its own."""
        if self._run is not None:
            run, self._run = self._run, None
            run.finish(exit_code)

    def _summarize(self, values: dict[str, Any]) -> None:
        if self._run is not None:
            self._run.then(lambda run: run.summary.update(values))


class _BackgroundRun:
    """A W&B run that is started, filled and finished by one thread, in order."""

    def __init__(self, settings: dict[str, Any], folder: Path, **arguments: Any) -> None:
        self._thread = ThreadPoolExecutor(1, "wandb")
        self._start = self._thread.submit(_guarded, lambda: start_run(settings, folder, **arguments))

    def then(self, action: Callable[[Any], Any]) -> None:
        """Do something with the run, when what came before is done; nothing where it could not be started."""
        self._thread.submit(_guarded, lambda: action(run) if (run := self._start.result()) is not None else None)

    def finish(self, exit_code: int) -> None:
        """Wait until all is done, and end the run."""
        self.then(lambda run: run.finish(exit_code=exit_code))
        self._thread.shutdown()


class _RunLogger(Logger):
    """Lightning's view of the run: metrics by step."""

    def __init__(self, run: _BackgroundRun) -> None:
        super().__init__()
        self._run = run

    @property
    def name(self) -> str:
        return "wandb"

    @property
    def version(self) -> None:
        return None

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """The configuration is the run's from its start."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        values = {**metrics, "trainer/global_step": step}
        self._run.then(lambda run: run.log(values))


def _confusion_charts(labels: Mapping[str, Sequence[int]], group_names: Sequence[str]) -> dict[str, Any]:
    import wandb

    return {
        f"test/{title}_confusion": wandb.plot.confusion_matrix(
            y_true=list(labels[key]), preds=list(labels[f"{key}_predicted"]), class_names=list(names), title=title
        )
        for title, key, names in (("age", "group", group_names), ("gender", "gender", GENDERS))
    }


def log_comparison(
    settings: dict[str, Any], name: str, folder: Path, columns: list[str], rows: list[list[Any]]
) -> None:
    """Write a sweep's comparison run: its table, of plain values. Run again, it goes on with the same run."""
    id_file = folder / "wandb_id"
    run_id = id_file.read_text().strip() if id_file.exists() else secrets.token_hex(4)
    import wandb

    run = start_run(
        settings, folder, id=run_id, name=f"{name}: comparison", group=name, job_type="comparison", config={}
    )
    if run is not None:
        id_file.write_text(run_id)
        _guarded(lambda: run.log({"comparison": wandb.Table(columns=list(columns), data=rows)}))
        _guarded(lambda: run.finish())


def start_run(settings: dict[str, Any], folder: Path, **arguments: Any) -> Any:
    """Start a run of its own: online where a key is configured, else offline; None where even that fails.

    Args:
        settings: `project`, `entity`, `mode`.
        folder: where the run's files go.
        arguments: of `wandb.init`; the configuration must be plain containers.
    """
    import wandb  # half a second, and more in its first init: in the job's own thread for it

    mode = settings["mode"] or os.environ.get("WANDB_MODE") or ("online" if _has_key() else "offline")
    for attempt in dict.fromkeys((mode, "offline")):
        try:
            run = wandb.init(
                project=settings["project"],
                entity=settings["entity"],
                dir=folder,
                mode=attempt,  # pyright: ignore[reportArgumentType]
                resume="allow",
                reinit="create_new",
                settings=wandb.Settings(silent=True, console="off", init_timeout=_init_seconds()),
                **arguments,
            )
        except Exception as error:  # wandb raises many kinds; none of them is a reason to lose a job
            log.warning(
                "W&B cannot start %s (%s); the record is written all the same", attempt, first_line(error, kind=True)
            )
            continue
        if attempt == "offline":
            log.info("W&B offline; to send it: wandb sync %s", Path(run.dir).parent)
        return run
    return None


def _init_seconds() -> float:
    return float(os.environ.get("WANDB_INIT_TIMEOUT", _INIT_SECONDS))


def _has_key() -> bool:
    """Whether W&B could log in without asking: a key or a token in its settings, the environment, or ~/.netrc."""
    import wandb

    settings = wandb.setup().settings
    if settings.api_key or settings.identity_token_file or os.environ.get("WANDB_API_KEY"):
        return True
    try:
        path = os.environ.get("NETRC") or str(Path("~/.netrc").expanduser())
        return netrc.netrc(path).authenticators(urlparse(settings.base_url).hostname or "") is not None
    except (OSError, netrc.NetrcParseError):
        return False


def _guarded(action: Callable[[], Any]) -> Any:
    try:
        return action()
    except Exception as error:  # as above: told, and passed over
        log.warning("W&B failed (%s); the record is written all the same", first_line(error, kind=True))
        return None
