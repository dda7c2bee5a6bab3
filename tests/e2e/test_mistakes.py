import pytest

from agegender.data.synthetic.folder import write_faces


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("data.batch_size=0", "data.batch_size=0: Input should be greater than or equal to 1"),
        ("data.batch_size=many", "data.batch_size=many: Input should be a valid integer"),
        ("data.age_groups=foo", "data.age_groups=foo: no such scheme; choose one of closed, nearest, strict"),
        ("trainer.max_epochs=-3", "trainer.max_epochs=-3"),
        ("name=../elsewhere", "name=../elsewhere"),
        ("monitor=val/nothing", "monitor=val/nothing"),
        ("data.image_size=8 model=alexnet", "data.image_size=8 is too small for model=alexnet; its smallest is 63"),
        ("data.root=nowhere", "data.root=nowhere does not exist; give UTKFace's folder or archive"),
        ("data.root=empty", "no UTKFace images in empty"),
        ("data.root=broken.tar", "data.root=broken.tar is neither a folder nor a .tar"),
        ("data.split_file=nowhere.csv", "data.split_file=nowhere.csv cannot be read"),
        ("ckpt_path=nowhere.ckpt", "ckpt_path=nowhere.ckpt is not a file"),
        ("runs_dir=file", "a part of this path is a file"),
        ("data.cache_dir=file", "there is a file where a directory is needed"),
        ("trainer=gpu", "trainer: "),
        ("trainer._target_=torch.nn.Linear", "trainer._target_=torch.nn.Linear is not a lightning.Trainer"),
        ("+trainer.speed=3", "unexpected keyword argument 'speed'"),
        ("+model.depth=3", "unexpected keyword argument 'depth'"),
        ("+lerning_rate=1", "lerning_rate=1: there is no such key"),
    ],
)
def test_a_mistake_is_one_line_that_names_it_with_exit_code_2(shell, override, told):
    (shell.folder / "empty").mkdir()
    (shell.folder / "file").write_text("a file")
    (shell.folder / "broken.tar").write_bytes(b"no archive")
    finished = shell.train(*override.split())
    assert finished.code == 2, finished.output
    errors = [line for line in finished.output.splitlines() if line.strip()]
    assert len(errors) == 1 and errors[0].startswith("error: ") and told in errors[0], finished.output


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("name=a,b", "name cannot be swept"),
        ("experiment=fast,best", "give one for all of them, name=..."),
        ("hydra.sweep.dir=elsewhere", "give runs_dir=. name=elsewhere instead"),
    ],
)
def test_a_sweep_whose_jobs_would_lie_in_several_directories_is_refused(shell, override, told):
    finished = shell.train("-m", override)
    assert finished.code == 2, finished.output
    assert told in finished.output and finished.output.count("\n") == 1
    assert not (shell.folder / "runs").exists()


def test_an_unknown_key_keeps_hydras_own_message_and_code(shell):
    finished = shell.train("data.batch_sice=3")
    assert finished.code == 1
    assert "Could not override 'data.batch_sice'" in finished.output


def test_an_unknown_option_keeps_hydras_own_message_and_code(shell):
    finished = shell.train("model=lenet")
    assert finished.code == 1
    assert "Could not find 'model/lenet'" in finished.output


def test_files_that_are_no_faces_are_skipped_told_once_and_listed_in_the_record(shell):
    faces = shell.folder / "faces"
    faces.mkdir()
    write_faces(faces, 80, seed=1)
    (faces / "300_0_0_20170101000000000.jpg").write_bytes(next(faces.iterdir()).read_bytes())
    (faces / "20_1_0_20170101000000000.jpg").write_text("no picture")
    finished = shell.train("data.root=faces", "trainer.max_epochs=1")
    assert finished.code == 0, finished.output
    assert "2 of 82 files of faces cannot be used" in finished.output
    assert shell.record("default/tiny/plain/0")["data"]["skipped"] == {
        "300_0_0_20170101000000000.jpg": "age 300 is not in 0 to 120",
        "20_1_0_20170101000000000.jpg": "not an image",
    }


def test_agegender_audit_saves_and_prints_what_a_folder_holds(shell):
    faces = shell.folder / "faces"
    faces.mkdir()
    write_faces(faces, 60, seed=1)
    first = next(faces.iterdir())
    (faces / f"99{first.name[first.name.index('_') :]}").write_bytes(first.read_bytes())
    finished = shell.agegender("audit", "faces")
    assert finished.code == 0, finished.output
    assert "Byte-identical: 1 sets, 2 files; 1 sets disagree" in finished.output
    assert (shell.folder / "audit/faces/audit.json").exists()
    assert shell.agegender("audit", "nowhere").code == 2
    assert shell.agegender("report", "nowhere").code == 2


def test_agegender_report_rebuilds_the_table_from_the_records(trained):
    table = trained.folder / "runs/try/report/runs.csv"
    table.unlink(missing_ok=True)
    finished = trained.agegender("report", "runs/try")
    assert finished.code == 0, finished.output
    assert "tiny" in table.read_text()
