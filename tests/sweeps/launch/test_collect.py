"""How the jobs of a batch ended, whatever their launcher does."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf
from paths import CONF

from agegender.jobs.outcomes import Outcome
from agegender.jobs.run import resolve
from agegender.jobs.stop_flag import stop_flag
from agegender.records import record
from agegender.records.record import Record
from agegender.sweeps.callback import Sweep
from agegender.sweeps.launch import collect
from agegender.system.signals import STOPS

NOW = "9999-01-01T00:00:00+00:00"
BEFORE = "2000-01-01T00:00:00+00:00"
SEEDS = [["name=x", "seed=0"], ["name=x", "seed=1"]]


class Launching:
    """Launches batches of one sweep in `runs/x` below the working directory."""

    def __init__(self) -> None:
        self.callback = Sweep()
        self.num_launched = 0

    def __call__(self, launch: Callable[[], Sequence[JobReturn]], *overrides: str) -> list[Outcome]:
        with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
            config = compose("train", ["name=x", *overrides], return_hydra_config=True)
            callbacks = Callbacks()
            callbacks.callbacks.append(self.callback)
            hydra = GlobalHydra.instance().hydra
            assert hydra is not None
            self.config = config
            self._launch = launch
            context = HydraContext(hydra.config_loader, callbacks)
            returned = collect.launch(self, config, context, SEEDS, 0)  # pyright: ignore[reportArgumentType]
        return [one.return_value for one in returned]

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        self.num_launched += 1
        return self._launch()

    def write(self, seed: int, status: str, *, started: str = NOW, finished: str | None = None) -> None:
        config = resolve(OmegaConf.merge(self.config, {"seed": seed}))  # pyright: ignore[reportArgumentType]
        entry = Record(status, "x", {}, config.plain, seed, started=started, finished=finished)
        record.write(folder(seed), entry)


def folder(seed: int) -> Path:
    return Path(f"runs/x/small_cnn/plain/{seed}")


def ended(status: JobStatus, value: Any, seed: int) -> JobReturn:
    config: DictConfig = OmegaConf.create({"hydra": {"runtime": {"output_dir": str(folder(seed).absolute())}}})
    return JobReturn(hydra_cfg=config, status=status, _return_value=value)


def both(status: str) -> list[JobReturn]:
    return [ended(JobStatus.COMPLETED, Outcome(folder(seed), status), seed) for seed in (0, 1)]


@pytest.fixture
def launching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Launching]:
    monkeypatch.chdir(tmp_path)
    handlers = {number: signal.getsignal(number) for number in STOPS}
    yield Launching()
    stop_flag.__init__()
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_what_jobs_return_reaches_the_callback(launching: Launching) -> None:
    outcomes = launching(lambda: both("complete"))
    assert outcomes == [Outcome(folder(0), "complete"), Outcome(folder(1), "complete")]
    assert launching.callback.result.outcomes == outcomes


def test_a_job_that_raised_has_failed_and_the_others_count(
    launching: Launching, caplog: pytest.LogCaptureFixture
) -> None:
    raised = ended(JobStatus.FAILED, ImportError("no torch"), 1)
    outcomes = launching(lambda: [*both("complete")[:1], raised])
    assert outcomes == [Outcome(folder(0), "complete"), Outcome(folder(1), "failed", "ImportError: no torch")]
    assert f"{folder(1)} failed: ImportError: no torch" in caplog.text


def test_where_a_worker_process_was_killed_the_records_say_how_far_jobs_came(
    launching: Launching, caplog: pytest.LogCaptureFixture
) -> None:
    def break_pool() -> Sequence[JobReturn]:
        launching.write(0, "complete", finished=NOW)
        launching.write(1, "running")
        raise BrokenProcessPool("a worker was killed\nat length")

    outcomes = launching(break_pool)
    assert outcomes == [Outcome(folder(0), "complete"), Outcome(folder(1), "interrupted")]
    (line,) = caplog.records
    assert line.getMessage().startswith("error: hydra/launcher=basic ended early: a process of its jobs was killed")
    assert line.exc_info is None


def test_where_a_launcher_fails_what_was_complete_before_is_skipped_and_the_rest_is_not_started(
    launching: Launching, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> Sequence[JobReturn]:
        launching.write(0, "complete", started=BEFORE, finished=BEFORE)
        launching.write(1, "running", started=BEFORE)
        raise ZeroDivisionError("no workers")

    outcomes = launching(fail)
    reason = "hydra/launcher=basic ended early"
    assert outcomes == [Outcome(folder(0), "skipped"), Outcome(folder(1), "not started", reason)]
    assert "ended early: ZeroDivisionError: no workers;" in caplog.text and "Traceback" in caplog.text


def test_an_error_of_composition_stays_hydras(launching: Launching) -> None:
    def refuse() -> Sequence[JobReturn]:
        raise HydraException("no such key")

    with pytest.raises(HydraException, match="no such key"):
        launching(refuse)


@pytest.mark.parametrize("status", ["failed", "refused"])
def test_on_error_stop_launches_no_further_batch(launching: Launching, status: str) -> None:
    launching(lambda: both(status), "on_error=stop")
    outcomes = launching(lambda: both("complete"), "on_error=stop")
    assert outcomes == [Outcome(folder(seed), "not started", "on_error=stop") for seed in (0, 1)]
    assert launching.num_launched == 1


def test_a_signal_ends_the_batch_and_launches_no_further_one(launching: Launching) -> None:
    def terminate() -> Sequence[JobReturn]:
        launching.write(0, "running")
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("the signal was not raised")

    assert [outcome.status for outcome in launching(terminate)] == ["interrupted", "not started"]
    assert [outcome.status for outcome in launching(lambda: both("complete"))] == ["not started"] * 2
    assert launching.num_launched == 1 and stop_flag.signal == signal.SIGTERM
