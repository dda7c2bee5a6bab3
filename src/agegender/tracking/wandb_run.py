"""A run of Weights & Biases, started without a prompt, and its files. Failures of W&B are logged, not raised."""

import logging
import netrc
import os
import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from pydantic import ValidationError

from agegender.system.errors import InputError, describe, first_line
from agegender.system.files import check_writable
from agegender.system.signals import signal_of

PROJECT = "agegender"  # unless the configuration or WANDB_PROJECT names another one
# Limits of W&B's own settings, unless WANDB_INIT_TIMEOUT or WANDB_FINISH_TIMEOUT sets another one:
_SECONDS = {
    "init_timeout": 45.0,  # to reach the server; after that the run is written offline
    "finish_timeout": 300.0,  # to upload the rest; W&B itself would wait for a broken server without end
}
_LONGEST_NAME = 128  # characters; W&B's server refuses a run whose name or group is longer
_LONGEST_TAG = 64  # likewise
_CONSEQUENCE = "record.json is still written"  # of a failure of W&B, for the log

log = logging.getLogger(__name__)


def start_run(settings: Mapping[str, Any], folder: Path, **arguments: Any) -> Any:
    """Start a run and return it: online if a key is configured, else offline; None if that fails too.

    Args:
        settings: the keys of `logger.wandb`; what is None there is W&B's own setting, except the project.
        folder: where the run's files go, unless WANDB_DIR is set.
        arguments: of `wandb.init`; the configuration must be plain containers.
    """
    import wandb  # here, as it takes half a second, which a job spends in a thread

    more_tags = _environments_tags()  # before W&B reads them
    mode = settings["mode"] or default_mode()
    attempts = list(dict.fromkeys((mode, mode if mode == "disabled" else "offline")))
    for attempt in attempts:
        try:
            run = wandb.init(
                project=settings["project"] or os.environ.get("WANDB_PROJECT") or PROJECT,
                entity=settings["entity"],
                notes=settings.get("notes"),
                dir=_place(folder),
                mode=attempt,  # pyright: ignore[reportArgumentType]
                resume="allow",
                reinit="create_new",
                settings=wandb.Settings(silent=True, console="off", finish_timeout_raises=True, **_limits()),
                **_with_environment(settings, arguments, more_tags),
            )
        except Exception as error:  # wandb raises many kinds; none of them is a reason to lose a job
            log.warning("W&B cannot start %s (%s); %s", attempt, _reason(error), _CONSEQUENCE)
            if attempt != attempts[-1]:
                guarded(wandb.teardown)  # else the run that did not start keeps the id that the next one needs
            continue
        if attempt == "offline":
            log.info("W&B offline; to upload the run: agegender sync %s", folder)
        elif attempt == "disabled":
            log.info("W&B is disabled")
        return run
    return None


def finish_run(run: Any, exit_code: int = 0) -> None:
    """End a run once everything is uploaded, or the time for that is over: then say how to upload the rest."""
    try:
        run.finish(exit_code=exit_code)
    except TimeoutError:
        seconds = run.settings.finish_timeout
        command = f"wandb sync --no-skip-online {Path(run.dir).parent}"
        log.warning("W&B has not taken everything in %.0f s; to upload the rest: %s", seconds, command)


def _limits() -> dict[str, Any]:
    return {key: seconds for key, seconds in _SECONDS.items() if f"WANDB_{key.upper()}" not in os.environ}


def _place(folder: Path) -> Path:
    """Return where W&B's files go: WANDB_DIR, if it can be written; W&B itself would choose a temporary directory."""
    chosen = os.environ.get("WANDB_DIR")
    if not chosen or agents_trial():  # an agent sets it
        return folder
    place = Path(chosen).expanduser()
    try:
        place.mkdir(parents=True, exist_ok=True)
        check_writable(place)
    except OSError as error:
        log.warning("WANDB_DIR=%s cannot be written (%s); W&B writes in %s", chosen, error.strerror, folder)
        return folder
    return place


def valid_tags(tags: Sequence[str]) -> list[str]:
    """Return tags that W&B takes: it refuses a whole run for an empty or a long one."""
    given = [tag.strip() for tag in tags]
    valid = [tag[:_LONGEST_TAG] for tag in given if tag]
    if valid != given:
        log.warning("W&B takes tags of 1 to %d characters; it gets: %s", _LONGEST_TAG, ", ".join(valid) or "none")
    return list(dict.fromkeys(valid))


def _environments_tags() -> list[str]:
    """Return the tags of WANDB_TAGS, and leave no others there: W&B's settings refuse to load with an invalid one."""
    given = os.environ.pop("WANDB_TAGS", None)
    tags = valid_tags(given.split(",")) if given else []
    if tags:
        os.environ["WANDB_TAGS"] = ",".join(tags)
    return tags


def _shortened(name: str | None) -> str | None:
    """Return a name that W&B's server takes: the end of a long one, by which the jobs of a sweep differ."""
    return name if name is None or len(name) <= _LONGEST_NAME else f"...{name[3 - _LONGEST_NAME :]}"


def _with_environment(
    settings: Mapping[str, Any], arguments: Mapping[str, Any], more_tags: Sequence[str]
) -> dict[str, Any]:
    """Return a run's arguments, of which W&B's own variables set some: its group, type, name and further tags.

    A sweep of many jobs takes the name and the id out of its environment, see `forget_names_of_one_run`.
    """
    changed = dict(arguments)
    changed["name"] = _shortened(os.environ.get("WANDB_NAME") or arguments.get("name"))
    if "tags" in arguments or more_tags:
        changed["tags"] = list(dict.fromkeys([*arguments.get("tags", ()), *more_tags]))
    changed["group"] = _shortened(settings.get("group") or os.environ.get("WANDB_RUN_GROUP") or arguments.get("group"))
    changed["job_type"] = os.environ.get("WANDB_JOB_TYPE") or arguments.get("job_type")
    return changed


def agents_trial() -> str | None:
    """Return the id of the trial that an agent of a W&B sweep runs in this process; None without an agent."""
    return os.environ.get("WANDB_RUN_ID") if os.environ.get("WANDB_SWEEP_ID") else None


def is_stopped_by_agent(error: BaseException) -> bool:
    """Whether an agent of a W&B sweep has stopped this process's trial, which it does by SIGTERM."""
    is_interrupt = isinstance(error, KeyboardInterrupt | SystemExit)
    return is_interrupt and agents_trial() is not None and signal_of(error) == signal.SIGTERM


def environments_run_id() -> str | None:
    """Return the id that an agent of a W&B sweep, or the user, has given the run of this process; None without one."""
    return os.environ.get("WANDB_RUN_ID")


def forget_names_of_one_run() -> None:
    """Take W&B's variables that name one run out of the environment, which all jobs of a sweep share."""
    if agents_trial() is not None:
        return
    for variable in ("WANDB_NAME", "WANDB_RUN_ID"):
        if os.environ.pop(variable, None) is not None:
            log.warning("%s has no effect in a sweep, whose runs are named after their jobs", variable)


def default_mode() -> str:
    """Return W&B's mode for a configuration that does not set one.

    `wandb offline`, `wandb disabled` and WANDB_MODE are explicit choices, which an API key does not override.

    Raises:
        InputError: W&B refuses one of its own settings.
    """
    import wandb

    try:
        mode = str(wandb.setup().settings.mode).replace("dryrun", "offline")
    except (ValidationError, wandb.Error) as error:
        raise InputError(f"W&B refuses its settings ({_reason(error)}); check the variables WANDB_*") from error
    if mode != "online" or os.environ.get("WANDB_MODE"):
        return mode
    return "online" if _has_key() else "offline"


def _has_key() -> bool:
    """Whether W&B can log in without a prompt: a key or a token in its settings, the environment, or ~/.netrc."""
    import wandb

    settings = wandb.setup().settings
    if settings.api_key or settings.identity_token_file or os.environ.get("WANDB_API_KEY"):
        return True
    try:
        path = os.environ.get("NETRC") or str(Path("~/.netrc").expanduser())
        return netrc.netrc(path).authenticators(urlparse(settings.base_url).hostname or "") is not None
    except (OSError, netrc.NetrcParseError):
        return False


def guarded(action: Callable[[], Any]) -> Any:
    """Return the result of an action that uses W&B; if it fails, that is logged and the result is None."""
    try:
        return action()
    except Exception as error:  # as in `start_run`
        log.warning("W&B failed (%s); %s", describe(error) or _reason(error), _CONSEQUENCE)
        return None


def _reason(error: Exception) -> str:
    """Return a line on what W&B raised; what is wrong with its settings stands below the first."""
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, at['loc']))}={at['input']}: {at['msg']}" for at in error.errors())
    return first_line(error, kind=True)


def use_split(run: Any, manifest: Path) -> None:
    """Record which split a run used. The same split is the same artifact in all runs, as W&B compares files' content.

    Args:
        run: a started run.
        manifest: of the split, named `split-<hash>.csv` as by `save_manifest`; the artifact has the same name.
    """
    artifact = _artifact(run, manifest.stem, "split", {manifest.name: manifest})
    if run.offline:
        run.log_artifact(artifact)  # `use_artifact` asks the server
    else:
        run.use_artifact(artifact)


def log_files(
    run: Any, name: str, kind: str, files: Mapping[str, Path], *, aliases: Sequence[str] | None = None
) -> None:
    """Store files with a run, as an artifact.

    Args:
        run: a started run.
        name: of the artifact: letters, digits, dashes, underscores and dots, at most 128.
        kind: its type.
        files: by their path in the artifact.
        aliases: of this version; None: W&B's `latest`.
    """
    run.log_artifact(_artifact(run, name, kind, files), aliases=None if aliases is None else list(aliases))


def _artifact(run: Any, name: str, kind: str, files: Mapping[str, Path]) -> Any:
    """Make an artifact of copies in the run's directory: an offline run is uploaded later, maybe from elsewhere."""
    import wandb

    artifact = wandb.Artifact(name, kind)
    folder = Path(run.dir).absolute().parent / "artifacts" / name
    for inside, path in files.items():
        copy = folder / inside
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
        artifact.add_file(str(copy), name=inside, policy="immutable", skip_cache=True)
    return artifact
