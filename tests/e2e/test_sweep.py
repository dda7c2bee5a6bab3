import csv
import signal
import sys


def table(shell, name):
    with (shell.folder / "runs" / name / "report" / "runs.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_sweep_gives_a_row_per_job_with_the_papers_numbers_beside_ours(shell):
    finished = shell.train(
        "-m", "model=resnet18", "loss=plain,weighted", "seed=1,2", "trainer.max_epochs=1", "name=both"
    )
    assert finished.code == 0, finished.output
    rows = table(shell, "both")
    assert [(row["loss"], row["seed"], row["status"]) for row in rows] == [
        *(("plain", "1", "complete"), ("plain", "2", "complete")),
        *(("weighted", "1", "complete"), ("weighted", "2", "complete")),
    ]
    for row in rows:
        own = shell.record(f"both/resnet18/{row['loss']}/{row['seed']}")
        assert float(row["age_accuracy"]) == 100 * own["test"]["age_accuracy"]
        assert float(row["params_millions"]) == own["num_params"] / 1e6
    assert (rows[0]["paper_age_accuracy"], rows[0]["paper_gender_accuracy"]) == ("58.6", "87.4")
    assert rows[2]["paper_age_accuracy"] == ""  # the paper weights only its own network
    assert "4 jobs: 4 trained." in finished.output
    report = shell.folder / "runs/both/report"
    assert "120 synthetic faces" in (report / "table.md").read_text()
    assert "\\toprule" in (report / "table.tex").read_text()


def test_jobs_share_one_split_and_each_swept_key_has_a_place_in_the_path(shell):
    finished = shell.train("-m", "optimizer.lr=1e-3,1e-4", "optimizer=adam", "trainer.max_epochs=1", "name=lr")
    assert finished.code == 0, finished.output
    first, second = (shell.record(f"lr/tiny/plain/0/optimizer.lr-{value}") for value in ("0.001", "0.0001"))
    assert first["data"]["split_hash"] == second["data"]["split_hash"]
    assert [row["optimizer.lr"] for row in table(shell, "lr")] == ["0.0001", "0.001"]


def test_an_empty_record_is_one_failed_row_and_the_others_of_the_sweep_go_on(shell):
    sweep = ("-m", "loss=plain,weighted", "trainer.max_epochs=1", "name=power")
    (shell.folder / "runs/power/tiny/plain/0").mkdir(parents=True)
    (shell.folder / "runs/power/tiny/plain/0/record.json").touch()
    finished = shell.train(*sweep)
    assert "Traceback" not in finished.output
    assert "1 trained" in finished.output and "1 refused" in finished.output, finished.output
    assert "record.json is not a run's record (it is empty); delete it to run this job again" in finished.output
    assert [(row["loss"], row["status"].partition(":")[0]) for row in table(shell, "power")] == [
        ("plain", "failed"),
        ("weighted", "complete"),
    ]


def test_a_sweep_begun_by_an_earlier_version_goes_on_in_its_directories(shell):
    command = ("-m", "optimizer.lr=1e-3,1e-4", "trainer.max_epochs=1", "name=old")
    assert shell.train(*command).code == 0
    for rate in ("0.001", "0.0001"):
        folder = shell.folder / f"runs/old/tiny/plain/0/optimizer.lr-{rate}"
        folder.rename(folder.with_name(f"optimizer.lr={rate}"))
    again = shell.train(*command)
    assert again.code == 0 and "2 jobs: 2 complete before, skipped." in again.output, again.output


def test_many_swept_keys_are_several_directories(shell):
    keys = ("optimizer.lr", "optimizer.weight_decay", "loss.gender_weight", "data.split_seed")
    values = [f"{key}=choice({number + 1})" for number, key in enumerate(keys)]
    augment = [f"augment.{key}=choice(0.1)" for key in ("flip", "shift", "erase", "contrast")]
    finished = shell.train("-m", *values, *augment, "augment=standard", "trainer.max_epochs=1", "name=many")
    assert finished.code == 0, finished.output
    (found,) = (shell.folder / "runs" / "many").rglob("record.json")
    names = found.parent.relative_to(shell.folder / "runs/many/tiny/plain/0").parts
    assert sum(name.count("+") + 1 for name in names) == 8 and all(len(name) <= 255 for name in names)


def test_ctrl_c_between_the_jobs_of_a_sweep_still_ends_with_the_table(shell):
    command = ("-m", "seed=0,1,2", "trainer.max_epochs=1", "data.source.num_synthetic=60", "name=between")
    process = shell.start(*shell.train_command(*command))
    shell.wait_for("between/tiny/plain/0", "complete in", process)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "Traceback" not in output and "1 trained" in output and "not started" in output
    assert next(row["status"] for row in table(shell, "between")) == "complete"


def test_a_failing_job_is_recorded_the_others_go_on_and_only_it_is_tried_again(shell):
    command = (*("-m", "model=exploding,tiny", "name=bad", "trainer.max_epochs=1"),)
    finished = shell.train(*command)
    assert finished.code == 1, finished.output
    rows = {row["model"]: row for row in table(shell, "bad")}
    assert rows["tiny"]["status"] == "complete"
    assert rows["exploding"]["status"] == "failed: RuntimeError: the network exploded | [bold] <script>"
    assert "2 jobs: 1 trained, 1 failed." in finished.output
    assert "Traceback" not in finished.output
    log = (shell.folder / "runs/bad/exploding/plain/0/train.log").read_text()
    assert "Traceback" in log and "exploding.py" in log
    again = shell.train(*command)
    assert again.code == 1
    assert "2 jobs: 1 complete before, skipped, 1 failed." in again.output


def test_on_error_stop_starts_no_further_job(shell):
    finished = shell.train(
        *("-m", "model=exploding,tiny", "name=stop", "on_error=stop", "trainer.max_epochs=1"),
    )
    assert finished.code == 1, finished.output
    assert "2 jobs: 1 failed, 1 not started." in finished.output
    assert [row["model"] for row in table(shell, "stop")] == ["exploding"]


def test_jobs_that_the_user_must_mend_are_told_once_each_and_the_exit_code_is_2(shell):
    finished = shell.train("-m", "model=alexnet,vgg11", "data.image_size=16", "name=tiny")
    assert finished.code == 2, finished.output
    assert "too small for model=alexnet; its smallest is 63" in finished.output
    assert "too small for model=vgg11; its smallest is 32" in finished.output
    assert "Traceback" not in finished.output


def test_a_sweep_killed_in_its_second_job_skips_the_first_and_resumes_the_second(shell):
    command = (
        "-m",
        "model=slow",
        "loss=plain,weighted",
        "seed=0,1",
        "trainer.max_epochs=3",
        "data.batch_size=4",
        "name=killed",
        "checkpoint_minutes=0.001",
    )
    process = shell.start(*shell.train_command(*command))
    shell.wait_for("killed/slow/plain/1", "epoch 2/3", process)  # the first epoch's checkpoint is complete
    process.kill()
    process.communicate()
    finished = shell.train(*command)
    assert finished.code == 0, finished.output
    assert "4 jobs: 3 trained, 1 complete before, skipped." in finished.output
    assert "runs/killed/slow/plain/1: resuming from its last checkpoint" in finished.output
    assert [row["status"] for row in table(shell, "killed")] == ["complete"] * 4


def test_sigterm_ends_a_sweep_with_the_table_of_what_is_done(shell):
    process = shell.start(*shell.train_command("-m", "seed=0,1,2", "trainer.max_epochs=30", "name=term"))
    shell.wait_for("term/tiny/plain/0", "epoch 1/30", process)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 143, output
    assert "interrupted by SIGTERM" in output and "3 jobs: 1 interrupted, 2 not started." in output
    assert [row["status"] for row in table(shell, "term")] == ["started, not finished"]
    assert "Traceback" not in output


def test_ddp_in_a_sweep_is_refused(shell):
    finished = shell.train("-m", "seed=0,1", "trainer=ddp", "name=ddp")
    assert finished.code == 2
    assert "trainer=ddp starts this program once per device" in finished.output


def test_two_processes_on_an_empty_cache_both_finish_with_the_result_of_one_alone(shell, tmp_path):
    alone = shell.train("trainer.max_epochs=1", "name=alone", f"data.cache_dir={tmp_path}/one")
    assert alone.code == 0, alone.output
    shared = ("trainer.max_epochs=1", f"data.cache_dir={tmp_path}/two")
    both = [shell.start(*shell.train_command(*shared, f"name={name}")) for name in ("first", "second")]
    outputs = [process.communicate(timeout=240)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    names = [path.name for path in (tmp_path / "two").iterdir() if path.suffix == ".npy"]
    assert len(names) == 1
    results = [shell.record(f"{name}/tiny/plain/0")["test"] for name in ("alone", "first", "second")]
    assert results[0] == results[1] == results[2]


def test_a_sweep_keeps_nothing_of_its_jobs_in_memory(shell):
    program = (
        "import gc, runpy, sys\n"
        "gc.disable()\n"  # as good as it is for few objects that hold much
        "sys.argv = sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "kept = [type(one).__name__ for one in gc.get_objects()]\n"
        "print([kept.count(name) for name in ('AgeGenderModule', 'UTKFaceDataModule', 'Trainer', 'Adam')])\n"
    )
    _, *command = shell.train_command("-m", "seed=1,2", "trainer.max_epochs=1")
    finished = shell.run(sys.executable, "-c", program, *command)
    assert finished.code == 0, finished.output
    assert finished.output.splitlines()[-1] == "[0, 0, 0, 0]"
