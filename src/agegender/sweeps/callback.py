"""The start and the end of a multirun: a directory for each job, a table of all of them, and the exit code."""

import logging
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict

from agegender.jobs import run
from agegender.jobs.outcomes import Outcome, exit_code
from agegender.jobs.preflight import check_jobs
from agegender.jobs.schema import Config
from agegender.jobs.stop_flag import stop_flag
from agegender.records import directories, identity
from agegender.sweeps.result import SweepResult
from agegender.system.errors import InputError, describe, end, first_line, refuse
from agegender.system.files import check_writable
from agegender.system.signals import signal_of, stop_signals
from agegender.tracking.wandb_run import agents_trial, forget_names_of_one_run

log = logging.getLogger(__name__)

_RESOLVER = "agegender.chosen"
_LAUNCHER = "hydra_plugins.agegender_launchers.CollectingLauncher"  # around the launcher that the user chose


class Sweep(Callback):
    """Hydra's callback: named in `conf/hydra/default.yaml`.

    Attributes:
        result: of the multirun, which the launcher and the sweeper fill.
    """

    def __init__(self) -> None:
        self.result = SweepResult()

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Choose and check the job's directory before Hydra makes it."""
        resolved = _resolve(config)
        if not any(item.lstrip("+").startswith("hydra.run.dir=") for item in config.hydra.overrides.hydra):
            base = Path(config.hydra.run.dir)
            chosen = _chosen(config)
            plain = resolved.plain
            found = directories.find_directory(base, chosen, plain, resume=resolved.resume)
            shorter = directories.find_shorter(base, chosen, plain)
            if shorter not in (None, found):
                print(f"{shorter} is this run with fewer epochs; resume=extend trains it further instead of anew")
            trial = agents_trial()
            if trial is not None:  # of a W&B sweep, which may propose the same values twice
                found = base / f"wandb-{trial}"
            config.hydra.run.dir = str(found)
        _check_directory(Path(config.hydra.run.dir))

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check the sweep's directory, and give every swept key a place in the jobs' paths."""
        forget_names_of_one_run()
        try:
            swept = _swept_keys(config)
        except HydraException as error:  # the command line's own grammar has been checked before
            refuse(f"hydra.sweeper.params: {first_line(error)}")
        _check_one_directory(config, swept)
        try:
            check_jobs(_resolve(config), swept, config.hydra.launcher._target_)
        except (InputError, OSError) as error:
            end(error)
        except Exception as error:  # Hydra would make a warning of it, and the exit code 0
            log.error("error: the sweep cannot start: %s", first_line(error, kind=True), exc_info=error)
            sys.exit(1)
        _check_directory(Path(config.hydra.sweep.dir))
        if swept:
            names = f"${{{_RESOLVER}:{','.join(swept)}}}"
            if directories.has_old_names(Path(config.hydra.sweep.dir), swept):
                names = directories.old_names(swept, config.hydra.runtime.choices)
            subdir = OmegaConf.to_container(config.hydra.sweep, resolve=False)["subdir"]  # pyright: ignore
            with open_dict(config):
                config.hydra.overrides.hydra.append(f"hydra.sweep.subdir='{subdir}/{names}'")
        with open_dict(config):
            config.hydra.launcher = {"_target_": _LAUNCHER, "_recursive_": False, "launcher": config.hydra.launcher}

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Write and print the table of all jobs of this name, send it to W&B, and end with the exit code."""
        stop_flag.interrupt(stop_signals.received)  # after the last job
        stop_signals.install()
        try:
            self._conclude(config)
        except KeyboardInterrupt as stop:
            stop_flag.interrupt(signal_of(stop))
            log.error("the report was interrupted; the jobs' records are whole, and `agegender report` makes it")
            sys.exit(self._exit_code())

    def _exit_code(self) -> int:
        return exit_code(self.result.outcomes, stop_flag.signal)

    def _conclude(self, config: DictConfig) -> None:
        # Pandas, scipy and the like, a second: only the end of a sweep needs them, not the start of each job.
        from agegender.report.tables.console import print_table
        from agegender.sweeps.reporting import report

        folder = Path(config.hydra.sweep.dir)
        outcomes = self.result.outcomes
        if outcomes and all(outcome.status in ("submitted", "checked") for outcome in outcomes):
            is_later = any(outcome.status == "submitted" for outcome in outcomes)
            print(_summary(outcomes) + (f" `agegender report {folder}` shows what is complete." if is_later else ""))
            self._close()
            return
        try:
            keys = ("threshold_age", "challenge_age", "minors_passed")
            made = report(folder, **{key: config.report[key] for key in keys})
        except Exception as error:  # Hydra would make a warning of it, and the exit code 0
            reason = describe(error)
            message = reason or first_line(error, kind=True)
            log.error("error: no report: %s; the jobs' records are whole", message, exc_info=reason is None)
            print(_summary(outcomes))
            self._close()
            sys.exit(self._exit_code() or 1)
        print_table(made.table)
        print(_summary(outcomes))
        for outcome in outcomes:
            if outcome.reason is not None and outcome.status != "not started":
                print(f"{outcome.folder}: {outcome.status}: {outcome.reason}")
        print(made.as_text())
        if OmegaConf.select(config, "logger.wandb") is not None and any(
            outcome.status == "complete" for outcome in outcomes
        ):
            from agegender.tracking.comparison import send_comparison  # imports wandb, which takes half a second

            try:
                send_comparison(folder, *made.table.keys_and_rows(), report=made.folder, figures=made.figures)
            except InputError as error:
                log.error("error: no comparison in W&B: %s", error)
        self._close()
        if self._exit_code():
            sys.exit(self._exit_code())

    def _close(self) -> None:
        for line in self.result.closing:
            print(line)


def _value(config: DictConfig, key: str) -> Any:
    """The option of a group, or the value of a key, as composed; None where it was deleted."""
    groups = config.hydra.runtime.choices
    value = groups[key] if key in groups else OmegaConf.select(config, key)
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


# Names the directory of a sweep's job, when the job is composed: its values are not known before.
OmegaConf.register_new_resolver(
    _RESOLVER,
    lambda *keys, _root_: str(directories.chosen_path({key: _value(_root_, key) for key in keys})),
    replace=True,
)


def _chosen(config: DictConfig) -> dict[str, Any]:
    """Return what a single job chose on the command line, except keys in every path or without effect on results."""
    overrides = OverridesParser.create().parse_overrides(list(config.hydra.overrides.task))
    keys = {override.key_or_group.partition("@")[0] for override in overrides} - directories.IN_EVERY_PATH
    return {key: _value(config, key) for key in keys if identity.is_identity(key)}


def _swept_keys(config: DictConfig) -> list[str]:
    """Return the keys to which this multirun gives several values, except those in every path."""
    params = config.hydra.sweeper.get("params")  # an experiment's own sweep; the command line comes after it
    texts = [f"{key}={value}" for key, value in (params or {}).items()] + list(config.hydra.overrides.task)
    last = {override.get_key_element(): override for override in OverridesParser.create().parse_overrides(texts)}
    swept = [override.key_or_group for override in last.values() if override.is_sweep_override()]
    return sorted({key.partition("@")[0] for key in swept} - directories.IN_EVERY_PATH)


def _check_one_directory(config: DictConfig, swept: list[str]) -> None:
    """Refuse jobs that would lie in several directories: a sweep has one table, of one directory."""
    folder = Path(config.hydra.sweep.dir)
    if folder != Path(config.runs_dir) / config.name:
        refuse(
            f"hydra.sweep.dir={folder}: the split and the table of a sweep lie in runs_dir/name; give "
            f"runs_dir={folder.parent} name={folder.name} instead"
        )
    for key in ("name", "runs_dir"):
        if key in swept:
            refuse(f"{key} cannot be swept: the jobs of a sweep share a directory and a table; start a sweep for each")
    if "experiment" in swept and not any(item.startswith("name=") for item in config.hydra.overrides.task):
        refuse("experiment= is swept, and each experiment has a name of its own: give one for all of them, name=...")


def _resolve(config: DictConfig) -> Config:
    """Resolve and check the configuration, or end with one line: Hydra would show a traceback."""
    try:
        return run.resolve(config)
    except InputError as error:
        end(error)


def _check_directory(folder: Path) -> None:
    """End with one line where nothing can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        check_writable(folder)
    except OSError as error:
        end(error, " (name= and runs_dir= choose it)")


def _summary(outcomes: list[Outcome]) -> str:
    counts = Counter(outcome.status for outcome in outcomes)
    order = ("complete", "pruned", "skipped", "checked", "failed", "refused", "interrupted", "not started", "submitted")
    names = {"complete": "trained", "skipped": "complete before, skipped", "checked": "checked (fast_dev_run)"}
    parts = [f"{counts[status]} {names.get(status, status)}" for status in order if counts[status]]
    return f"{len(outcomes)} jobs: {', '.join(parts)}." if parts else "There was no job to do."
