"""What is logged to W&B, and when: with a fake run that records the calls; `test_read_back.py` uses the real one."""

import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tracked import tracked_record

from agegender.records.record import Record
from agegender.system.errors import InputError
from agegender.system.signals import Terminated
from agegender.tracking import wandb_job, wandb_run
from agegender.tracking.job import JobTracker

SETTINGS = {"project": "faces", "entity": None, "mode": None}
LABELS = {"group": [0, 1], "group_predicted": [1, 1], "gender": [0, 1], "gender_predicted": [0, 0]}
PATIENCE = 30  # seconds until a test that waits in vain fails


class Run:
    """The parts of a W&B run that WandbJob uses; records the calls, in order."""

    offline = True

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.logs: list[str] = []
        self.tags: tuple[str, ...] = ("mine",)
        self.defined: dict[str, dict[str, Any]] = {}
        self.threads: set[str] = set()
        self.summary = SimpleNamespace(update=lambda values: self._keep(("summary", values)))
        self.config = SimpleNamespace(update=lambda values, allow_val_change: self._keep(("config", values)))

    def define_metric(self, name: str, **options: Any) -> None:
        self.defined[name] = options

    def log(self, values: dict[str, Any]) -> None:
        self._keep(("log", values))

    def write_logs(self, text: str) -> None:
        self.logs.append(text)

    def mark_preempting(self) -> None:
        self._keep("preempting")

    def finish(self, exit_code: int) -> None:
        self._keep(("finish", exit_code))

    def _keep(self, what: Any) -> None:
        self.threads.add(threading.current_thread().name)
        self.done.append(what)

    def summaries(self) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for kind, values in (item for item in self.done if item[0] == "summary"):
            assert kind == "summary"
            merged |= values
        return merged


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("wandb_")]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """The run that is started."""
    run = Run()
    use_start(monkeypatch, lambda *_, **__: run)
    return run


def use_start(monkeypatch: pytest.MonkeyPatch, start: Callable[..., Any]) -> None:
    monkeypatch.setattr(wandb_job, "start_run", start)


def started(record: Record, folder: Path) -> JobTracker:
    return JobTracker({"wandb": SETTINGS}, record, folder / "runs/try/vgg11/dex/3", folder / "runs/try")


def close(tracker: JobTracker) -> None:
    tracker.fail(RuntimeError("over"))


def log(tracker: JobTracker, metrics: dict[str, float], step: int) -> None:
    (logger,) = tracker.loggers
    logger.log_metrics(metrics, step=step)


def logged(run: Run) -> list[Any]:
    return [values for kind, values in (item for item in run.done if item[0] == "log") if kind == "log"]


def steps(run: Run) -> list[Any]:
    return [values["trainer/global_step"] for values in logged(run)]


def test_neither_the_start_of_a_job_nor_what_it_logs_waits_for_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run()
    answer = threading.Event()

    def start(*_: Any, **__: Any) -> Run:
        assert answer.wait(PATIENCE)
        return run

    use_start(monkeypatch, start)
    tracker = started(tracked_record(), tmp_path)  # would wait for ever if it waited
    log(tracker, {"train/loss": 1.0}, 4)
    assert run.done == []
    answer.set()
    close(tracker)
    assert run.done[0] == ("log", {"train/loss": 1.0, "trainer/global_step": 4})
    assert run.done[-1] == ("finish", 1)


def test_what_is_logged_arrives_in_order_from_one_thread(run: Run, tmp_path: Path) -> None:
    tracker = started(tracked_record(), tmp_path)
    for step in range(300):
        log(tracker, {"train/loss": 1 / (step + 1)}, step)
    close(tracker)
    assert steps(run) == list(range(300))
    assert run.done[-1] == ("finish", 1)
    assert len(run.threads) == 1 and threading.current_thread().name not in run.threads


def test_metrics_are_logged_as_they_were_when_they_were_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run()
    answer = threading.Event()
    use_start(monkeypatch, lambda *_, **__: run if answer.wait(PATIENCE) else None)
    tracker = started(tracked_record(), tmp_path)
    metrics = {"train/loss": 1.0}
    log(tracker, metrics, 0)
    metrics["train/loss"] = 2.0
    answer.set()
    close(tracker)
    assert logged(run) == [{"train/loss": 1.0, "trainer/global_step": 0}]


def test_the_end_waits_until_all_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run()
    answer = threading.Event()
    use_start(monkeypatch, lambda *_, **__: run if answer.wait(PATIENCE) else None)
    tracker = started(tracked_record(), tmp_path)
    log(tracker, {}, 7)
    timer = threading.Timer(0.2, answer.set)
    timer.start()
    close(tracker)
    assert steps(run) == [7] and run.done[-1] == ("finish", 1)
    timer.join()


def test_a_run_is_ended_once_and_what_comes_later_is_nothing(run: Run, tmp_path: Path) -> None:
    tracker = started(tracked_record(), tmp_path)
    tracker.finish(tracked_record(status="complete"), None, ())
    close(tracker)
    tracker.describe(tracked_record())
    assert [item for item in run.done if item[0] == "finish"] == [("finish", 0)]


def test_a_run_that_cannot_be_started_is_told_once_and_the_job_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def start(*_: Any, **__: Any) -> Run:
        raise RuntimeError("no such server\nand more")

    use_start(monkeypatch, start)
    with caplog.at_level(logging.WARNING):
        tracker = started(tracked_record(), tmp_path)
        tracker.describe(tracked_record())
        log(tracker, {"train/loss": 1.0}, 4)
        tracker.finish(tracked_record(), LABELS, ("young", "old"))
    assert caplog.messages == ["W&B failed (RuntimeError: no such server); record.json is still written"]


def test_something_that_cannot_be_logged_is_told_and_the_rest_is_logged(
    run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse_one(values: dict[str, Any]) -> None:
        if values["trainer/global_step"] == 1:
            raise ValueError("no room")
        run.done.append(("log", values))

    run.log = refuse_one  # type: ignore[method-assign]
    tracker = started(tracked_record(), tmp_path)
    for step in range(3):
        log(tracker, {}, step)
    close(tracker)
    assert steps(run) == [0, 2]
    assert caplog.messages == ["W&B failed (ValueError: no room); record.json is still written"]


def test_a_complete_jobs_results_and_confusion_matrices_are_the_last_that_is_told(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def chart(*, y_true: list[int], preds: list[int], class_names: list[str], title: str) -> Any:
        return (title, y_true, preds, class_names)

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(plot=SimpleNamespace(confusion_matrix=chart)))
    record = tracked_record()
    tracker = started(record, tmp_path)
    record.status = "complete"
    record.best_epoch = 2
    record.val = {"age_accuracy": 0.75, "age_confusion": [[1]]}
    record.test = {"age_accuracy": 0.5, "age_confusion": [[1]]}
    record.time = {"fit_seconds": 9.0}
    tracker.finish(record, LABELS, ("young", "old"))
    expected = {
        "test/age_accuracy": 0.5,
        "best/age_accuracy": 0.75,
        "time/fit_seconds": 9.0,
        "best/epoch": 2,
        "status": "complete",
    }
    assert run.done == [
        ("summary", expected),
        (
            "log",
            {
                "test/age_confusion": ("age", [0, 1], [1, 1], ["young", "old"]),
                "test/gender_confusion": ("gender", [0, 1], [0, 0], ["male", "female"]),
            },
        ),
        ("finish", 0),
    ]


def test_what_belongs_to_an_epoch_is_plotted_over_epochs_and_wandb_aggregates_nothing(run: Run, tmp_path: Path) -> None:
    close(started(tracked_record(), tmp_path))
    assert {run.defined[name]["step_metric"] for name in ("train/*", "val/*")} == {"epoch"}
    assert run.defined["train/loss_step"]["step_metric"] == "trainer/global_step"
    assert not any("summary" in options for options in run.defined.values())


def test_validations_within_an_epoch_have_places_of_their_own_and_a_test_belongs_to_none(
    run: Run, tmp_path: Path
) -> None:
    tracker = started(tracked_record(), tmp_path)
    done = iter((0.5, 1.0))
    tracker.describe(tracked_record(), lambda: next(done))
    log(tracker, {"val/loss": 1.0, "epoch": 0}, 2)  # as Lightning numbers it
    log(tracker, {"val/loss": 1.0, "epoch": 0}, 4)
    log(tracker, {"test/loss": 2.0, "epoch": 1}, 4)
    close(tracker)
    assert logged(run) == [
        {"val/loss": 1.0, "epoch": 0.5, "trainer/global_step": 2},
        {"val/loss": 1.0, "epoch": 1.0, "trainer/global_step": 4},
        {"test/loss": 2.0, "trainer/global_step": 4},
    ]


def test_a_run_has_its_jobs_place_group_tags_and_configuration_and_an_id_that_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts: list[Any] = []
    use_start(monkeypatch, lambda settings, folder, **arguments: starts.append((settings, arguments)))
    record = tracked_record()
    for _ in range(2):
        close(started(record, tmp_path))
    assert record.wandb_id
    unknown = dict.fromkeys(("num_params", "split_hash", "age_groups", "image_size"))
    expected = {
        "id": record.wandb_id,
        "name": "vgg11/dex/3",
        "group": "try",
        "job_type": "train",
        "tags": ["first"],
        "config": {
            "seed": 3,
            "tags": ["first"],
            "choices": {"model": "vgg11", "loss": "dex"},
            "model_name": "vgg11",
            "loss_name": "dex",
            **unknown,
        },
    }
    assert starts == [(SETTINGS, expected)] * 2


def test_jobs_that_differ_in_another_key_have_names_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []
    use_start(monkeypatch, lambda *_, name, **__: names.append(name))
    for rate in ("0.001", "1e30"):
        folder = tmp_path / f"runs/try/vgg11/dex/3/optimizer.lr-{rate}"
        close(JobTracker({"wandb": SETTINGS}, tracked_record(), folder, tmp_path / "runs/try"))
    assert names == ["vgg11/dex/3/optimizer.lr-0.001", "vgg11/dex/3/optimizer.lr-1e30"]


def test_a_network_of_timm_has_its_own_name() -> None:
    record = tracked_record()
    record.choices["model"] = "timm"
    record.config["model"] = {"name": "resnet10t"}
    assert wandb_job.model_label(record) == "timm resnet10t"


def test_what_is_known_later_follows(run: Run, tmp_path: Path) -> None:
    record = tracked_record()
    tracker = started(record, tmp_path)
    record.num_params = 10
    record.data = {"fingerprint": "f", "split_hash": "ab12", "age_groups": {"scheme": "closed"}, "image_size": 64}
    record.environment = {"precision": "bf16-mixed", "threads": 2}
    tracker.describe(record)
    close(tracker)
    (_, config), *_ = run.done
    assert config["resolved"] == {"precision": "bf16-mixed", "threads": 2}
    assert (config["data_fingerprint"], config["split_hash"], config["num_params"]) == ("f", "ab12", 10)
    assert run.tags == ("mine", "first", "vgg11", "dex", "closed", "64px")


def test_a_failed_run_says_why_with_the_end_of_the_traceback_and_the_jobs_log(run: Run, tmp_path: Path) -> None:
    tracker = started(tracked_record(), tmp_path)
    logging.getLogger("agegender.jobs.fit").warning("epoch 1/2: loss 1.0")
    try:
        raise ZeroDivisionError("by zero")
    except ZeroDivisionError as error:
        tracker.fail(error)
    logging.getLogger("agegender.jobs.fit").warning("of the next job")
    text = "".join(run.logs)
    assert run.summaries() == {"status": "failed", "error": "ZeroDivisionError: by zero"}
    assert "epoch 1/2: loss 1.0" in text and 'raise ZeroDivisionError("by zero")' in text
    assert "of the next job" not in text
    assert run.done[-1] == ("finish", 1)


def test_a_mistake_of_the_users_needs_no_traceback(run: Run, tmp_path: Path) -> None:
    started(tracked_record(), tmp_path).fail(InputError("data.limit=3 is too small"))
    assert run.summaries()["error"] == "data.limit=3 is too small" and "Traceback" not in "".join(run.logs)


def test_a_job_that_a_signal_stopped_is_preempted_not_failed(run: Run, tmp_path: Path) -> None:
    started(tracked_record(), tmp_path).fail(Terminated(signal.SIGTERM))
    assert run.done == [("summary", {"status": "interrupted"}), "preempting", ("finish", 143)]


def test_a_trial_that_its_wandb_sweep_has_stopped_is_pruned_not_failed(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_SWEEP_ID", "sweep1")
    monkeypatch.setenv("WANDB_RUN_ID", "ab12")
    record = tracked_record()
    started(record, tmp_path).fail(Terminated(signal.SIGTERM))
    assert record.wandb_id == "ab12"
    assert run.done == [("summary", {"status": "pruned"}), ("finish", 0)]


def test_without_wandb_nothing_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_start(monkeypatch, lambda *_, **__: pytest.fail("a run was started"))
    record = tracked_record()
    tracker = JobTracker({}, record, tmp_path, tmp_path)
    tracker.describe(record)
    close(tracker)
    assert tracker.loggers == [] and record.wandb_id is None


def test_a_job_without_wandb_does_not_import_it() -> None:
    program = "import sys, agegender.tracking.job; print('wandb' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "False", done.stderr


def test_a_pruned_job_ends_well_with_its_status_and_no_test_score(run: Run, tmp_path: Path) -> None:
    record = tracked_record()
    tracker = started(record, tmp_path)
    record.status = "pruned"
    record.best_epoch = 1
    tracker.finish(record, None, ("young", "old"))
    assert run.done == [("summary", {"best/epoch": 1, "status": "pruned"}), ("finish", 0)]


class FakeWandb:
    """A fake W&B whose `init` fails in some modes."""

    def __init__(self, folder: Path, failing: tuple[str, ...], mode: str = "online") -> None:
        self.tried: list[str] = []
        self.given: dict[str, Any] = {}
        self._folder = folder
        self._failing = failing
        self._settings = SimpleNamespace(
            mode=mode, api_key="0" * 40, identity_token_file=None, base_url="https://api.wandb.ai"
        )

    def Settings(self, **_: Any) -> None: ...

    def setup(self) -> Any:
        return SimpleNamespace(settings=self._settings)

    def teardown(self) -> None: ...

    def init(self, *, mode: str, **given: Any) -> Any:
        self.tried.append(mode)
        self.given = given
        if mode in self._failing:
            raise ConnectionError(f"no {mode}")
        return SimpleNamespace(dir=str(self._folder / "run" / "files"))


@pytest.mark.parametrize(
    ("failing", "starts", "messages"),
    [
        ((), True, []),
        (("online",), True, ["W&B cannot start online (ConnectionError: no online)"]),
        (
            ("online", "offline"),
            False,
            [
                "W&B cannot start online (ConnectionError: no online)",
                "W&B cannot start offline (ConnectionError: no off",
            ],
        ),
    ],
)
def test_a_run_without_a_server_is_written_offline(
    failing: tuple[str, ...],
    starts: bool,
    messages: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    wandb = FakeWandb(tmp_path, failing)
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    run = wandb_run.start_run(SETTINGS | {"mode": "online"}, tmp_path, id="a")
    assert (run is not None) is starts
    assert wandb.tried == ["online", "offline"][: len(failing) + 1]
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == len(messages)
    assert all(one.startswith(other) for one, other in zip(warnings, messages, strict=True))


def test_the_name_of_one_run_has_no_effect_in_a_sweep(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_NAME", "mine")
    monkeypatch.setenv("WANDB_RUN_ID", "ab12")
    wandb_run.forget_names_of_one_run()
    assert wandb_run.environments_run_id() is None
    assert caplog.text.count("has no effect in a sweep") == 2
