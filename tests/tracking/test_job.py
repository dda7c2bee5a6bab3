"""What is logged to W&B, and when: with a fake run that records the calls."""

import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tracked import tracked_record

from agegender.tracking import job, wandb_run
from agegender.tracking.job import JobTracker

SETTINGS = {"kind": "wandb", "project": "faces", "entity": None, "mode": None}
LABELS = {"group": [0, 1], "group_predicted": [1, 1], "gender": [0, 1], "gender_predicted": [0, 0]}
PATIENCE = 30  # seconds until a test that waits in vain fails


class Run:
    """The parts of a W&B run that JobTracker uses; records the calls, in order."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.defined: dict[str, dict[str, Any]] = {}
        self.threads: set[str] = set()
        self.summary = SimpleNamespace(update=lambda values: self._keep(("summary", values)))

    def define_metric(self, name: str, **options: Any) -> None:
        self.defined[name] = options

    def log(self, values: dict[str, Any]) -> None:
        self._keep(("log", values))

    def finish(self, exit_code: int) -> None:
        self._keep(("finish", exit_code))

    def _keep(self, what: Any) -> None:
        self.threads.add(threading.current_thread().name)
        self.done.append(what)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("wandb")]


def use_start(monkeypatch: pytest.MonkeyPatch, start: Callable[..., Any]) -> None:
    monkeypatch.setattr(job, "start_run", start)


def steps(run: Run) -> list[Any]:
    return [values["trainer/global_step"] for kind, values in run.done if kind == "log"]


def test_neither_the_start_of_a_job_nor_what_it_logs_waits_for_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run()
    answer = threading.Event()

    def start(*_: Any, **__: Any) -> Run:
        assert answer.wait(PATIENCE)
        return run

    use_start(monkeypatch, start)
    tracker = JobTracker(SETTINGS, tracked_record(), tmp_path)  # would wait for ever if it waited
    tracker.describe_model(10, 5, 0.5)
    tracker.logger.log_metrics({"train/loss": 1.0}, step=4)
    assert run.done == []
    answer.set()
    tracker.close(0)
    assert run.done == [
        ("summary", {"model/params/total": 10, "model/params/trainable": 5, "model/gmacs": 0.5}),
        ("log", {"train/loss": 1.0, "trainer/global_step": 4}),
        ("finish", 0),
    ]


def test_what_is_logged_arrives_in_order_from_one_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run()
    use_start(monkeypatch, lambda *_, **__: run)
    tracker = JobTracker(SETTINGS, tracked_record(), tmp_path)
    for step in range(300):
        tracker.logger.log_metrics({"train/loss": 1 / (step + 1)}, step=step)
    tracker.close(0)
    assert steps(run) == list(range(300))
    assert run.done[-1] == ("finish", 0)
    assert len(run.threads) == 1 and threading.current_thread().name not in run.threads


def test_metrics_are_logged_as_they_were_when_they_were_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run()
    answer = threading.Event()
    use_start(monkeypatch, lambda *_, **__: run if answer.wait(PATIENCE) else None)
    tracker = JobTracker(SETTINGS, tracked_record(), tmp_path)
    metrics = {"train/loss": 1.0}
    tracker.logger.log_metrics(metrics, step=0)
    metrics["train/loss"] = 2.0
    answer.set()
    tracker.close(0)
    assert run.done[0] == ("log", {"train/loss": 1.0, "trainer/global_step": 0})


def test_closing_waits_until_all_is_sent_and_ends_the_run_with_the_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run()
    answer = threading.Event()
    use_start(monkeypatch, lambda *_, **__: run if answer.wait(PATIENCE) else None)
    tracker = JobTracker(SETTINGS, tracked_record(), tmp_path)
    tracker.logger.log_metrics({}, step=7)
    timer = threading.Timer(0.2, answer.set)
    timer.start()
    tracker.close(1)
    assert run.done == [("log", {"trainer/global_step": 7}), ("finish", 1)]
    timer.join()


def test_a_run_is_ended_once_and_what_comes_later_is_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run()
    use_start(monkeypatch, lambda *_, **__: run)
    tracker = JobTracker(SETTINGS, tracked_record(), tmp_path)
    tracker.close(0)
    tracker.close(1)
    tracker.describe_model(10, 5, 0.5)
    assert run.done == [("finish", 0)]


def test_a_run_that_cannot_be_started_is_told_once_and_the_job_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def start(*_: Any, **__: Any) -> Run:
        raise RuntimeError("no such server\nand more")

    use_start(monkeypatch, start)
    with caplog.at_level(logging.WARNING):
        tracker = JobTracker(SETTINGS, tracked_record(), tmp_path)
        tracker.describe_model(10, 5, 0.5)
        tracker.logger.log_metrics({"train/loss": 1.0}, step=4)
        tracker.finish(tracked_record(), LABELS, ("young", "old"))
    assert caplog.messages == ["W&B failed (RuntimeError: no such server); record.json is still written"]


def test_something_that_cannot_be_logged_is_told_and_the_rest_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = Run()

    def log(values: dict[str, Any]) -> None:
        if values["trainer/global_step"] == 1:
            raise ValueError("no room")
        run.done.append(("log", values))

    run.log = log  # type: ignore[method-assign]
    use_start(monkeypatch, lambda *_, **__: run)
    tracker = JobTracker(SETTINGS, tracked_record(), tmp_path)
    for step in range(3):
        tracker.logger.log_metrics({}, step=step)
    tracker.close(0)
    assert steps(run) == [0, 2]
    assert caplog.messages == ["W&B failed (ValueError: no room); record.json is still written"]


def test_a_complete_jobs_results_and_confusion_matrices_are_the_last_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def chart(*, y_true: list[int], preds: list[int], class_names: list[str], title: str) -> Any:
        return (title, y_true, preds, class_names)

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(plot=SimpleNamespace(confusion_matrix=chart)))
    run = Run()
    use_start(monkeypatch, lambda *_, **__: run)
    record = tracked_record()
    tracker = JobTracker(SETTINGS, record, tmp_path)
    record.status = "complete"
    record.best_epoch = 2
    record.test = {"age_accuracy": 0.5, "age_confusion": [[1]]}
    record.time = {"fit_seconds": 9.0}
    tracker.finish(record, LABELS, ("young", "old"))
    assert run.done == [
        ("summary", {"test/age_accuracy": 0.5, "time/fit_seconds": 9.0, "best_epoch": 2, "status": "complete"}),
        (
            "log",
            {
                "test/age_confusion": ("age", [0, 1], [1, 1], ["young", "old"]),
                "test/gender_confusion": ("gender", [0, 1], [0, 0], ["male", "female"]),
            },
        ),
        ("finish", 0),
    ]


def test_what_belongs_to_an_epoch_is_plotted_over_epochs_and_the_best_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run()
    use_start(monkeypatch, lambda *_, **__: run)
    JobTracker(SETTINGS, tracked_record(), tmp_path).close(0)
    assert {run.defined[name]["step_metric"] for name in ("train/*", "val/*", "val/loss")} == {"epoch"}
    assert run.defined["train/loss_step"]["step_metric"] == "trainer/global_step"
    assert run.defined["val/loss"]["summary"] == "min,last"
    assert run.defined["val/age_accuracy"]["summary"] == "max,last"


def test_epochs_are_counted_from_1_and_a_test_belongs_to_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run()
    use_start(monkeypatch, lambda *_, **__: run)
    tracker = JobTracker(SETTINGS, tracked_record(), tmp_path)
    tracker.logger.log_metrics({"val/loss": 1.0, "epoch": 0}, step=4)  # as Lightning numbers it
    tracker.logger.log_metrics({"test/loss": 2.0, "epoch": 1}, step=4)
    tracker.close(0)
    assert run.done[:2] == [
        ("log", {"val/loss": 1.0, "epoch": 1, "trainer/global_step": 4}),
        ("log", {"test/loss": 2.0, "trainer/global_step": 4}),
    ]


def test_a_run_has_the_jobs_name_group_tags_and_configuration_and_an_id_that_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts: list[Any] = []
    use_start(monkeypatch, lambda settings, folder, **arguments: starts.append((settings, folder, arguments)))
    record = tracked_record()
    record.num_params = 10
    record.data = {"split_hash": "ab12", "age_groups": {"scheme": "closed", "names": []}, "image_size": 64}
    for _ in range(2):
        JobTracker(SETTINGS, record, tmp_path).close(0)
    assert record.wandb_id
    expected = {
        "id": record.wandb_id,
        "name": "vgg11/dex/3",
        "group": "try",
        "job_type": "train",
        "tags": ["first", "vgg11", "dex", "closed", "64px"],
        "config": {
            "seed": 3,
            "tags": ["first"],
            "choices": {"model": "vgg11", "loss": "dex"},
            "model_name": "vgg11",
            "loss_name": "dex",
            "num_params": 10,
            "split_hash": "ab12",
            "age_groups": "closed",
            "image_size": 64,
        },
    }
    assert starts == [(SETTINGS, tmp_path, expected)] * 2


@pytest.mark.parametrize("kind", ["none", "csv"])
def test_without_wandb_nothing_is_started(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_start(monkeypatch, lambda *_, **__: pytest.fail("a run was started"))
    record = tracked_record()
    tracker = JobTracker({"kind": kind}, record, tmp_path)
    tracker.describe_model(10, 5, 0.5)
    tracker.close(0)
    assert bool(tracker.logger) is (kind == "csv")
    assert record.wandb_id is None


def test_a_job_without_wandb_does_not_import_it() -> None:
    program = "import sys, agegender.tracking.job; print('wandb' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "False", done.stderr


class FakeWandb:
    """A fake W&B whose `init` fails in some modes."""

    def __init__(self, folder: Path, failing: tuple[str, ...]) -> None:
        self.tried: list[str] = []
        self._folder = folder
        self._failing = failing

    def Settings(self, **_: Any) -> None: ...

    def teardown(self) -> None: ...

    def init(self, *, mode: str, **_: Any) -> Any:
        self.tried.append(mode)
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


def test_a_pruned_job_ends_well_with_its_status_and_no_test_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run()
    use_start(monkeypatch, lambda *_, **__: run)
    record = tracked_record()
    tracker = JobTracker(SETTINGS, record, tmp_path)
    record.status = "pruned"
    record.best_epoch = 1
    tracker.finish(record, None, ("young", "old"))
    assert run.done == [("summary", {"best_epoch": 1, "status": "pruned"}), ("finish", 0)]
