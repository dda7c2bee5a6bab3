"""The same numbers wherever they are logged: read back with each logger's own library."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

WANDB = str(Path(sys.executable).with_name("wandb"))
SCORES = ("test/age_accuracy", "test/gender_accuracy", "test/age_mae_years")


@pytest.fixture(scope="module")
def mlflow_server(tmp_path_factory):
    """MLflow's own tracking server."""
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = f"sqlite:///{folder}/store.db"
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store, "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--workers", "1"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    for _ in range(600):
        try:
            urllib.request.urlopen(f"{address}/health")
            break
        except OSError:
            assert process.poll() is None
            time.sleep(0.1)
    yield address
    os.killpg(process.pid, signal.SIGTERM)  # with its workers
    process.wait(60)


def test_a_job_has_the_same_numbers_in_every_logger_also_after_a_resume(shell, mlflow_server):
    import mlflow
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    shell.environment |= {"MLFLOW_TRACKING_URI": mlflow_server}
    keys = ("logger=many_loggers", "logger.wandb.mode=offline", "name=many", "trainer.log_every_n_steps=1")
    assert shell.train(*keys, "trainer.max_epochs=1").code == 0
    extended = shell.train(*keys, "trainer.max_epochs=2", "resume=extend")
    assert extended.code == 0, extended.output
    job = shell.folder / "runs/many/tiny/plain/0"
    record = json.loads((job / "record.json").read_text())
    expected = {f"test/{key}": record["test"][key] for key in ("age_accuracy", "gender_accuracy", "age_mae_years")}

    curves = EventAccumulator(str(job / "tensorboard"))
    curves.Reload()
    assert {key: curves.Scalars(key)[-1].value for key in SCORES} == pytest.approx(expected)
    assert len(curves.Scalars("val/age_accuracy")) == 2, "both attempts"

    with (job / "csv/version_1/metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {key: float(next(row[key] for row in rows if row[key])) for key in SCORES} == pytest.approx(expected)
    assert (job / "csv/version_0/metrics.csv").exists()

    client = mlflow.MlflowClient(mlflow_server)
    (experiment,) = [one for one in client.search_experiments() if one.name == "many"]
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.run_id == record["tracking"]["mlflow"]["run_id"] and run.info.status == "FINISHED"
    assert {key: run.data.metrics[key] for key in SCORES} == pytest.approx(expected)
    assert run.data.params["optimizer/lr"] == str(record["config"]["optimizer"]["lr"])

    *_, last = sorted(job.glob("wandb/offline-run-*/run-*.wandb"))
    read_back = shell.run(WANDB, "leet", "inspect", "--summary", "--json", str(last))
    summary = json.loads(read_back.output[read_back.output.index("{") :])
    summary = summary.get("summary", summary)
    assert {key: summary[key] for key in SCORES} == pytest.approx(expected)
    best = {key.removeprefix("best/"): value for key, value in summary.items() if key.startswith("best/")}
    scores = {key: value for key, value in record["val"].items() if isinstance(value, float)}
    assert best == pytest.approx({**scores, "epoch": record["best_epoch"]})
    for key in ("train/lr", "train/grad_norm", "train/images_per_second"):
        assert key in summary and curves.Scalars(key)

    tested = shell.evaluate(f"ckpt_path={job}/checkpoints/best.ckpt", "logger=mlflow", f"output_dir={shell.folder}/out")
    assert tested.code == 0, tested.output
    (experiment,) = [one for one in client.search_experiments() if one.name == "eval"]
    (run,) = client.search_runs([experiment.experiment_id])
    assert {key: run.data.metrics[key] for key in SCORES} == pytest.approx(expected)
