import csv
import hashlib
import resource
import signal
import time

import pytest
import torch

from agegender.data.synthetic.folder import write_faces

# The contract that scripts rely on.
JOB_FILES = {
    *("record.json", "config.yaml", "train.log", "predictions.csv", "predictions_val.csv"),
    *("checkpoints/best.ckpt", "checkpoints/last.ckpt"),
}
RECORD_KEYS = {
    *("schema", "status", "choices", "config", "seed", "git", "data", "environment", "num_params"),
    *("num_params_trainable", "gmacs", "time", "best_epoch", "val", "test"),
}
TEST_KEYS = {
    *("age_accuracy", "gender_accuracy", "age_one_off_accuracy", "age_balanced_accuracy", "age_macro_f1"),
    *("age_mae_years", "age_confusion", "gender_confusion"),
}


def weights(shell, job):
    return torch.load(shell.folder / "runs" / job / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def is_parameter(key):
    return key.startswith("network.") and not key.endswith(("running_mean", "running_var", "num_batches_tracked"))


def assert_same_weights(first, second):
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_a_job_leaves_the_files_and_the_record_of_the_contract(trained):
    job = trained.folder / "runs/try/tiny/weighted/0"
    assert JOB_FILES <= {path.relative_to(job).as_posix() for path in job.rglob("*")}
    record = trained.record("try/tiny/weighted/0")
    assert record["status"] == "complete"
    assert RECORD_KEYS <= record.keys()
    assert TEST_KEYS <= record["test"].keys()
    parameters = [value for key, value in weights(trained, "try/tiny/weighted/0").items() if is_parameter(key)]
    assert record["num_params"] == sum(value.numel() for value in parameters)
    assert record["choices"]["loss"] == "weighted"
    assert record["time"]["fit_seconds"] > 0 and record["time"]["peak_memory_bytes"] > 1e8
    assert record["environment"]["accelerator"] == "cpu"


def test_the_record_agrees_with_the_predictions(trained):
    job = trained.folder / "runs/try/tiny/weighted/0"
    with (job / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    record = trained.record("try/tiny/weighted/0")
    names = record["data"]["age_groups"]["names"]
    assert len(rows) == record["data"]["counts"]["test"] == 24
    right = sum(row["group"] == row["group_predicted"] for row in rows) / len(rows)
    assert right == pytest.approx(record["test"]["age_accuracy"])
    near = sum(abs(names.index(row["group"]) - names.index(row["group_predicted"])) <= 1 for row in rows) / len(rows)
    assert near == pytest.approx(record["test"]["age_one_off_accuracy"])
    error = sum(abs(float(row["years"]) - float(row["years_predicted"])) for row in rows) / len(rows)
    assert error == pytest.approx(record["test"]["age_mae_years"], abs=1e-3)
    for row in rows:
        assert sum(float(row[f"p_{name}"]) for name in names) == pytest.approx(1, abs=1e-4)
        assert row["image"].startswith(f"{row['years']}_{['male', 'female'].index(row['gender'])}_")


def test_the_validation_part_is_predicted_by_the_weights_of_the_best_epoch(trained):
    job = trained.folder / "runs/try/tiny/weighted/0"
    with (job / "predictions_val.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    record = trained.record("try/tiny/weighted/0")
    with (trained.folder / record["data"]["split_file"]).open(newline="") as file:
        part = [row["image"] for row in csv.DictReader(file) if row["part"] == "val"]
    assert sorted(row["image"] for row in rows) == sorted(part)
    for task in ("age", "gender"):
        key = {"age": "group", "gender": "gender"}[task]
        right = sum(row[key] == row[f"{key}_predicted"] for row in rows) / len(rows)
        assert right == pytest.approx(record["val"][f"{task}_accuracy"])
    error = sum(abs(float(row["years"]) - float(row["years_predicted"])) for row in rows) / len(rows)
    assert error == pytest.approx(record["val"]["age_mae_years"], abs=1e-3)


def test_the_manifest_that_the_record_names_has_its_hash(trained):
    data = trained.record("try/tiny/weighted/0")["data"]
    manifest = (trained.folder / data["split_file"]).read_bytes()
    assert hashlib.sha256(manifest).hexdigest() == data["split_hash"]


def test_the_same_command_again_trains_nothing(trained):
    before = (trained.folder / "runs/try/tiny/weighted/0/record.json").read_bytes()
    again = trained.train("loss=weighted", "name=try", "logger=wandb", "tags=[first, second]")
    assert again.code == 0
    assert "complete, skipped" in again.output
    assert (trained.folder / "runs/try/tiny/weighted/0/record.json").read_bytes() == before


def test_another_configuration_in_the_same_directory_is_refused_and_loses_nothing(trained):
    before = (trained.folder / "runs/try/tiny/weighted/0/record.json").read_bytes()
    other = trained.train("loss=weighted", "hydra.run.dir=runs/try/tiny/weighted/0", "optimizer.lr=0.01")
    assert other.code == 2
    assert "optimizer.lr=0.0001, now 0.01" in other.output and "name=" in other.output
    assert (trained.folder / "runs/try/tiny/weighted/0/record.json").read_bytes() == before


def test_a_loop_over_the_learning_rate_is_a_run_for_each_in_a_directory_that_needs_no_quotes(shell):
    for rate in ("1e-3", "1e-4"):
        finished = shell.train("trainer.max_epochs=1", f"optimizer.lr={rate}")
        assert finished.code == 0, finished.output
    jobs = [f"default/tiny/plain/0/optimizer.lr-{rate}" for rate in ("0.001", "0.0001")]
    assert [shell.record(job)["config"]["optimizer"]["lr"] for job in jobs] == [1e-3, 1e-4]
    again = shell.train("trainer.max_epochs=1", "optimizer.lr=0.001")
    assert again.code == 0 and f"{jobs[0]}: complete, skipped" in again.output
    evaluated = shell.evaluate(f"ckpt_path=runs/{jobs[0]}/checkpoints/best.ckpt")
    assert evaluated.code == 0, evaluated.output
    (shell.folder / "runs" / jobs[1]).rename(shell.folder / "lr=1e-4 (old)")
    evaluated = shell.evaluate("ckpt_path=lr=1e-4 (old)/checkpoints/best.ckpt")
    assert evaluated.code == 0, evaluated.output


def test_the_same_seed_gives_the_same_weights_bit_for_bit_and_another_does_not(shell):
    for name, seed in (("one", 0), ("two", 0), ("three", 1)):
        assert shell.train(f"name={name}", f"seed={seed}").code == 0
    first = weights(shell, "one/tiny/plain/0")
    assert_same_weights(first, weights(shell, "two/tiny/plain/0"))
    other = weights(shell, "three/tiny/plain/1")
    assert not torch.equal(first["network.heads.age.weight"], other["network.heads.age.weight"])


def test_a_killed_job_resumes_from_its_last_epoch_and_ends_with_the_weights_of_an_unkilled_one(shell):
    settings = ("model=slow", "trainer.max_epochs=4", "data.batch_size=4", "checkpoint_minutes=0.001")
    assert shell.train("name=whole", *settings).code == 0
    killed = shell.start(*shell.train_command("name=cut", *settings))
    shell.wait_for("cut/slow/plain/0", "epoch 2/4", killed)
    killed.kill()
    killed.communicate()
    assert shell.record("cut/slow/plain/0")["status"] == "running"
    resumed = shell.train("name=cut", *settings)
    assert resumed.code == 0
    assert "resuming from its last checkpoint" in resumed.output and "epoch 1/4" not in resumed.output
    assert shell.record("cut/slow/plain/0")["time"]["resumed"] is True
    assert_same_weights(weights(shell, "whole/slow/plain/0"), weights(shell, "cut/slow/plain/0"))
    whole = shell.record("whole/slow/plain/0")
    cut = shell.record("cut/slow/plain/0")
    assert (whole["test"], whole["val"], whole["best_epoch"]) == (cut["test"], cut["val"], cut["best_epoch"])


def test_a_job_does_not_go_on_with_other_images(shell, tmp_path):
    write_faces(tmp_path, 120, seed=2)
    settings = (
        "model=slow",
        f"data.root={tmp_path}",
        "trainer.max_epochs=50",
        "data.batch_size=16",
        "checkpoint_minutes=0.001",
    )
    stopped = shell.start(*shell.train_command(*settings))
    shell.wait_for("default/slow/plain/0", "epoch 2/50", stopped)
    stopped.kill()
    stopped.communicate()
    next(tmp_path.glob("*.jpg")).unlink()
    again = shell.train(*settings)
    assert again.code == 2, again.output
    assert "the images have changed since this job was started" in again.output


@pytest.mark.parametrize(("number", "wait"), [(signal.SIGTERM, 0.5), (signal.SIGUSR1, 0.0), (signal.SIGINT, 0.2)])
def test_a_job_stopped_by_a_signal_goes_on_as_if_it_had_not_been(shell, number, wait):
    settings = ("model=slow", "trainer.max_epochs=2", "data.batch_size=2", "augment=strong", "schedule=one_cycle")
    job = "slow/plain/0/augment-strong+schedule-one_cycle"
    assert shell.train("name=whole", *settings).code == 0
    stopped = shell.start(*shell.train_command("name=cut", *settings))
    shell.wait_for(f"cut/{job}", "epoch 1/2", stopped)
    time.sleep(wait)  # for the checkpoint, and some steps of the second epoch
    stopped.send_signal(number)
    output, _ = stopped.communicate(timeout=60)
    assert stopped.returncode == 128 + number, output
    content = torch.load(shell.folder / f"runs/cut/{job}/checkpoints/last.ckpt", weights_only=True)
    assert 41 <= content["global_step"] < 82
    resumed = shell.train("name=cut", *settings)
    assert resumed.code == 0, resumed.output
    assert "epoch 1/2" not in resumed.output and "epoch 2/2" in resumed.output
    assert_same_weights(weights(shell, f"whole/{job}"), weights(shell, f"cut/{job}"))
    whole = shell.record(f"whole/{job}")
    cut = shell.record(f"cut/{job}")
    assert (whole["test"], whole["val"], whole["best_epoch"]) == (cut["test"], cut["val"], cut["best_epoch"])
    losses = [[epoch["train_loss"] for epoch in record["history"]] for record in (whole, cut)]
    assert losses[0] == losses[1]
    assert cut["time"]["train_seconds"] > 0


def test_a_last_checkpoint_that_was_cut_off_does_not_end_its_job_for_ever(shell):
    settings = ("model=slow", "trainer.max_epochs=4", "data.batch_size=4", "checkpoint_minutes=0.001")
    killed = shell.start(*shell.train_command("name=cut", *settings))
    shell.wait_for("cut/slow/plain/0", "epoch 2/4", killed)
    killed.kill()
    killed.communicate()
    last = shell.folder / "runs/cut/slow/plain/0/checkpoints/last.ckpt"
    last.write_bytes(last.read_bytes()[: last.stat().st_size // 2])
    again = shell.train("name=cut", *settings)
    assert again.code == 0, again.output
    assert "last.ckpt is not a checkpoint" in again.output and "restarts from its first epoch" in again.output
    assert "Traceback" not in again.output
    assert shell.train("name=whole", *settings).code == 0
    assert_same_weights(weights(shell, "whole/slow/plain/0"), weights(shell, "cut/slow/plain/0"))


def test_without_its_record_a_job_begins_anew(shell):
    assert shell.train("trainer.max_epochs=1").code == 0
    folder = shell.folder / "runs/default/tiny/plain/0"
    (folder / "record.json").unlink()
    again = shell.train("trainer.max_epochs=2", "data.batch_size=16")
    assert again.code == 0, again.output
    assert "epoch 1/2" in again.output and "going on" not in again.output


def test_resume_false_trains_anew(shell):
    assert shell.train("trainer.max_epochs=1").code == 0
    first = shell.record("default/tiny/plain/0")
    again = shell.train("trainer.max_epochs=2", "resume=false")
    assert again.code == 0
    assert shell.record("default/tiny/plain/0")["config"]["trainer"]["max_epochs"] == 2
    assert first["config"]["trainer"]["max_epochs"] == 1


def test_two_processes_do_not_train_the_same_job_at_once(shell):
    first = shell.start(*shell.train_command("trainer.max_epochs=50"))
    try:
        shell.wait_for("default/tiny/plain/0", "epoch 1/50", first)
        second = shell.train("trainer.max_epochs=50")
        assert second.code == 2
        assert "being trained by another process" in second.output
    finally:
        first.send_signal(signal.SIGINT)
        output, _ = first.communicate(timeout=60)
    assert first.returncode == 130, output
    assert "interrupted by SIGINT" in output
    assert shell.record("default/tiny/plain/0")["status"] == "running"


def test_a_disk_without_room_for_a_checkpoint_is_one_line_and_keeps_the_failed_record(shell):
    def little_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000_000, 20_000_000))  # a checkpoint of resnet18 has 45 MB

    full = shell.train("model=resnet18", "trainer.max_epochs=1", preexec_fn=little_room)
    assert full.code == 1, full.output
    assert "error: File too large" in full.output or "the file is larger than this system allows" in full.output
    assert "Traceback" not in full.output
    record = shell.record("default/resnet18/plain/0")
    assert record["status"] == "failed" and "larger than this system allows" in record["error"]
    assert shell.train("model=resnet18", "trainer.max_epochs=1").code == 0  # with room again, the same command works


def test_two_processes_train_as_one_does_with_the_same_images_a_step_and_write_one_record(shell):
    settings = ("model=unnormalized", "trainer.precision=32-true", "optimizer=sgd", "optimizer.lr=0.003")
    settings += ("trainer.max_epochs=7",)  # of three steps, the last one with fewer images
    assert shell.train("name=one", "data.batch_size=32", *settings).code == 0
    two = (*settings, "logger=csv", "data.batch_size=16", "trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2")
    finished = [
        shell.train("name=plain", *two),
        shell.run(*with_torchrun(shell.train_command("name=torchrun", *two))),
    ]
    job = "unnormalized/plain/0/optimizer-sgd+optimizer.lr-0.003"
    expected = weights(shell, f"one/{job}")
    one = shell.record(f"one/{job}")
    for name, ended in zip(("plain", "torchrun"), finished, strict=True):
        assert ended.code == 0, ended.output
        assert ended.output.count("epoch 7/7") == 1 and "error" not in ended.output
        got = weights(shell, f"{name}/{job}")
        record = shell.record(f"{name}/{job}")
        assert record["status"] == "complete"
        assert sum(map(sum, record["test"]["age_confusion"])) == record["data"]["counts"]["test"]
        predictions = (shell.folder / f"runs/{name}/{job}/predictions.csv").read_text().splitlines()
        assert len(predictions) == 1 + record["data"]["counts"]["test"]
        for key, value in expected.items():
            torch.testing.assert_close(got[key], value, rtol=1e-4, atol=1e-6)
        assert record["test"]["age_confusion"] == one["test"]["age_confusion"]
        assert record["test"]["age_mae_years"] == pytest.approx(one["test"]["age_mae_years"], rel=1e-5)
        assert record["environment"]["num_devices"] == 2


def with_torchrun(command):
    """Start the program twice, as torchrun does."""
    return (command[0], "-m", "torch.distributed.run", "--nproc_per_node=2", "--master_port=29781", *command[1:])


def test_debug_fdr_runs_one_batch_of_everything(shell):
    finished = shell.train("debug=fdr")
    assert finished.code == 0, finished.output
    assert "training, validation and test work; no record is kept" in finished.output
    assert not list((shell.folder / "runs").rglob("record.json"))


def test_predict_reads_images_and_says_what_it_cannot(trained, tmp_path):
    checkpoint = "runs/try/tiny/weighted/0/checkpoints/best.ckpt"
    (tmp_path / "text.jpg").write_text("no picture")
    write_faces(tmp_path, 3, seed=5)
    finished = trained.agegender("predict", checkpoint, str(tmp_path))
    rows = list(csv.DictReader(finished.output.splitlines()))
    assert finished.code == 1 and len(rows) == 4
    assert sum(row["error"] == "not an image" for row in rows) == 1
    assert all(
        0 < float(row["years"]) < 117 and row["gender"] in ("male", "female") for row in rows if not row["error"]
    )
    assert trained.agegender("predict", "nowhere.ckpt", str(tmp_path)).code == 2
