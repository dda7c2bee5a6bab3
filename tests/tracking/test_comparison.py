"""What W&B really stores: runs written offline are read back with W&B's own client."""

import hashlib
import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import wandb
from paths import ROOT
from PIL import Image
from tracked import tracked_record

from agegender.records.record import Record, write
from agegender.system.errors import InputError
from agegender.tracking import comparison, wandb_run
from agegender.tracking.job import JobTracker

SETTINGS = {"project": "faces", "entity": None, "mode": "offline"}
WANDB = str(Path(sys.executable).with_name("wandb"))


@pytest.fixture(autouse=True)
def nobodys_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the key, the settings and the caches of the machine's user."""
    for name in ("HOME", "WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path_factory.mktemp("home")))
    monkeypatch.delenv("WANDB_MODE", raising=False)


@pytest.fixture(scope="module", autouse=True)
def service_is_ended() -> Iterator[None]:
    yield
    wandb.teardown()


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    text = "image,part\na.jpg,train\n"
    path = tmp_path / "sweep" / f"split-{hashlib.sha256(text.encode()).hexdigest()[:12]}.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def report(tmp_path: Path) -> Path:
    folder = tmp_path / "sweep" / "report"
    for name in ("index.html", "figures/curve.png", "local/faces.png", ".hidden"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    Image.new("RGB", (4, 4)).save(folder / "figures" / "curve.png")
    return folder


def inspect(folder: Path) -> str:
    """Return the content of a directory's only offline run."""
    (log,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    command = [WANDB, "leet", "inspect", "--json", str(log)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def artifacts(folder: Path) -> dict[str, bytes]:
    return {
        "/".join(path.parts[path.parts.index("artifacts") + 1 :]): path.read_bytes()
        for path in folder.glob("wandb/offline-run-*/artifacts/**/*")
        if path.is_file()
    }


def compare(folder: Path, **options: Any) -> str | None:
    return comparison.log_comparison(
        SETTINGS, "try", folder, ["model", "age"], [["small_cnn", 60.5], ["vgg11", None]], **options
    )


def test_the_comparison_run_holds_table_pictures_report_and_split(report: Path, manifest: Path) -> None:
    folder = manifest.parent
    where = compare(folder, report=report, figures={"curve": report / "figures" / "curve.png"}, manifest=manifest)
    (run,) = folder.glob("wandb/offline-run-*")
    assert where == str(run)
    text = inspect(folder)
    for name in ("comparison", "figures/curve", "report-try", manifest.stem, (folder / "wandb_id").read_text()):
        assert name in text
    assert artifacts(folder) == {
        f"{manifest.stem}/{manifest.name}": manifest.read_bytes(),
        "report-try/index.html": b"index.html",
        "report-try/figures/curve.png": (report / "figures" / "curve.png").read_bytes(),
    }
    (table,) = run.glob("files/media/table/*.json")
    assert json.loads(table.read_text()) == {
        "columns": ["model", "age"],
        "data": [["small_cnn", 60.5], ["vgg11", None]],
    }
    assert len(list(run.glob("files/media/images/figures/*.png"))) == 1


def test_a_comparison_without_report_and_pictures_has_its_table(tmp_path: Path) -> None:
    assert compare(tmp_path) is not None
    assert "comparison" in inspect(tmp_path)
    assert artifacts(tmp_path) == {}


def test_a_comparison_that_is_written_again_goes_on_with_the_same_run(tmp_path: Path) -> None:
    compare(tmp_path)
    run_id = (tmp_path / "wandb_id").read_text()
    compare(tmp_path)
    assert (tmp_path / "wandb_id").read_text() == run_id
    names = {path.name for path in tmp_path.glob("wandb/offline-run-*/run-*.wandb")}
    assert names == {f"run-{run_id}.wandb"}


def test_what_cannot_be_logged_is_told_and_the_rest_is_logged(
    report: Path, manifest: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = manifest.parent
    missing = folder / "nowhere.png"
    compare(folder, report=report, figures={"missing": missing}, manifest=folder / "split-nowhere.csv")
    assert len([message for message in caplog.messages if message.startswith("W&B failed")]) == 2
    assert "report-try/index.html" in artifacts(folder)


def test_a_server_out_of_reach_fails_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    wandb.teardown()  # settings are read once
    for name, value in (("API_KEY", "0" * 40), ("BASE_URL", "http://127.0.0.1:9"), ("INIT_TIMEOUT", "2")):
        monkeypatch.setenv(f"WANDB_{name}", value)
    where = comparison.log_comparison(SETTINGS | {"mode": "online"}, "try", tmp_path, ["a"], [[1]])
    wandb.teardown()
    assert any(message.startswith("W&B cannot start online") for message in caplog.messages)
    assert where is not None and "offline-run" in where
    assert (tmp_path / "wandb_id").read_text() in inspect(tmp_path)


def test_an_id_that_can_be_neither_read_nor_written_fails_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "wandb_id").mkdir()
    assert compare(tmp_path) is not None
    assert f"W&B failed ({tmp_path / 'wandb_id'}" in caplog.text


@pytest.mark.parametrize("name", ["Übung/eins", "a b"])
def test_a_sweep_may_have_a_name_that_an_artifact_may_not(name: str, report: Path, manifest: Path) -> None:
    folder = manifest.parent
    comparison.log_comparison(SETTINGS, name, folder, ["a"], [[1]], report=report)
    assert any(path.endswith("/index.html") for path in artifacts(folder))


def record_of_a_sweep(manifest: Path, wandb: Mapping[str, Any] | None) -> Record:
    """Make the record of a run whose directory has been moved since it was written."""
    return tracked_record(
        status="complete",
        logger={} if wandb is None else {"wandb": dict(wandb)},
        data={"split_file": f"elsewhere/{manifest.name}"},
    )


def test_a_sweep_that_is_over_is_sent_with_the_settings_and_the_split_of_its_records(manifest: Path) -> None:
    folder = manifest.parent
    write(folder / "vgg11" / "dex" / "3", record_of_a_sweep(manifest, SETTINGS))
    where = comparison.send_comparison(folder, ["a"], [[1]])
    assert where is not None and "offline-run" in where
    assert '"faces"' in inspect(folder)
    assert list(artifacts(folder)) == [f"{manifest.stem}/{manifest.name}"]


def test_the_settings_are_those_of_the_last_run_with_wandb(manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = manifest.parent
    logged: list[Any] = []
    for number, project in enumerate((None, "b", "faces", None)):
        record = record_of_a_sweep(manifest, None if project is None else SETTINGS | {"project": project})
        record.started = f"2026-01-0{number + 1}T00:00:00+00:00"
        write(folder / f"{9 - number}", record)
    monkeypatch.setattr(comparison, "log_comparison", lambda settings, *_, **__: logged.append(settings))
    comparison.send_comparison(folder, ["a"], [[1]], mode="online")
    assert logged == [SETTINGS | {"mode": "online"}]


def test_a_record_of_an_earlier_version_has_its_settings_too(manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[Any] = []
    record = record_of_a_sweep(manifest, None)
    record.config["logger"] = {"kind": "wandb", **SETTINGS}
    write(manifest.parent / "1", record)
    monkeypatch.setattr(comparison, "log_comparison", lambda settings, *_, **__: logged.append(settings))
    comparison.send_comparison(manifest.parent, ["a"], [[1]])
    assert logged == [SETTINGS]


def test_a_directory_without_runs_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no run's record\.json"):
        comparison.send_comparison(tmp_path, ["a"], [[1]])


def test_a_jobs_run_uses_its_split_and_plots_over_epochs(manifest: Path, tmp_path: Path) -> None:
    record = record_of_a_sweep(manifest, SETTINGS)
    record.data = {"split_file": str(manifest), "split_hash": manifest.stem.removeprefix("split-")}
    tracker = JobTracker({"wandb": SETTINGS}, record, tmp_path / "job", tmp_path)
    for epoch in range(3):
        tracker.loggers[0].log_metrics({"val/age_accuracy": (0.5, 0.9, 0.7)[epoch]}, step=epoch)
    tracker.describe(record)
    tracker.finish(record, None, ())
    assert list(artifacts(tmp_path / "job")) == [f"{manifest.stem}/{manifest.name}"]
    text = inspect(tmp_path / "job")
    assert manifest.stem in text and record.wandb_id in text  # type: ignore[operator]
    assert '"step_metric"' in text or "stepMetric" in text


class OnlineRun:
    """The parts of an online run that `use_split` uses."""

    offline = False

    def __init__(self, folder: Path) -> None:
        self.dir = str(folder / "run" / "files")
        self.used: list[Any] = []

    def use_artifact(self, artifact: Any) -> None:
        self.used.append(artifact)


def test_with_a_server_the_split_is_an_input_and_the_same_in_every_run(manifest: Path, tmp_path: Path) -> None:
    first = OnlineRun(tmp_path / "a")
    second = OnlineRun(tmp_path / "b")
    for run in (first, second):
        wandb_run.use_split(run, manifest)
    (one,) = first.used
    (other,) = second.used
    assert (one.name, one.type) == (manifest.stem, "split")
    assert one.manifest.digest() == other.manifest.digest()


def dashboard() -> ModuleType:
    spec = importlib.util.spec_from_file_location("wandb_dashboard", ROOT / "docs" / "wandb_dashboard.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")  # of the package's own code
def test_the_dashboard_holds_the_keys_that_runs_log() -> None:
    pytest.importorskip("wandb_workspaces")
    recipe = dashboard()
    text = recipe.as_json(recipe.build("team", "faces", "try"))
    panels = ("comparison", "Parallel Coordinates Plot", "Parameter Importance", "Run Comparer")
    for key in (*recipe.CURVES, *recipe.BEST, *recipe.RESULTS, *recipe.COSTS, *recipe.COLUMNS, *panels, '"try"'):
        assert key in text


def test_without_its_package_the_dashboard_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "wandb_workspaces", None)
    assert dashboard().main(["--entity", "team", "--sweep", "try"]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1 and "pip install wandb-workspaces" in printed.err
