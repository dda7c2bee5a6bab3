import csv
import json
import shutil
from pathlib import Path

import pandas
import pytest
import torch

from agegender.data.synthetic.folder import write_faces

CHECKPOINT = "ckpt_path=runs/try/tiny/weighted/0/checkpoints/best.ckpt"


def test_a_checkpoint_gives_the_numbers_of_its_own_runs_test(trained):
    finished = trained.evaluate(CHECKPOINT)
    assert finished.code == 0, finished.output
    own = trained.record("try/tiny/weighted/0")
    (path,) = (trained.folder / "runs/try/tiny/weighted/0/eval").glob("*-test/record.json")
    evaluated = json.loads(path.read_text())
    assert evaluated["test"] == own["test"]
    assert evaluated["data"]["split_hash"] == own["data"]["split_hash"]
    assert (path.parent / "predictions.csv").read_text() == (
        trained.folder / "runs/try/tiny/weighted/0/predictions.csv"
    ).read_text()


def test_another_data_set_is_evaluated_whole_on_request(trained, tmp_path):
    write_faces(tmp_path, 40, seed=9)
    finished = trained.evaluate(CHECKPOINT, f"data.root={tmp_path}", "part=all", f"output_dir={tmp_path}/out")
    assert finished.code == 0, finished.output
    record = json.loads((tmp_path / "out" / "record.json").read_text())
    assert sum(map(sum, record["test"]["age_confusion"])) == 40
    assert record["data"]["root"] == tmp_path.name


def test_the_own_data_from_elsewhere_is_not_divided_otherwise_without_a_word(shell, tmp_path):
    (tmp_path / "faces").mkdir()
    write_faces(tmp_path / "faces", 60, seed=4)
    split = tmp_path / "split.csv"
    parts = ["train", "train", "train", "val", "test"]
    names = sorted(path.name for path in (tmp_path / "faces").iterdir())
    split.write_text("image,part\n" + "".join(f"{name},{parts[row % 5]}\n" for row, name in enumerate(names)))
    settings = (f"data.root={tmp_path / 'faces'}", f"data.split_file={split}", "trainer.max_epochs=1", "name=given")
    assert shell.train(*settings).code == 0
    (tmp_path / "faces").rename(tmp_path / "moved")
    evaluation = ("ckpt_path=runs/given/tiny/plain/0/checkpoints/best.ckpt", f"data.root={tmp_path / 'moved'}")
    refused = shell.evaluate(*evaluation)
    assert refused.code == 2, refused.output
    assert "holds images that this network was trained on" in refused.output and "/split-" in refused.output
    told = shell.evaluate(*evaluation, f"data.split_file={split}")
    assert told.code == 0, told.output


def test_what_described_the_training_set_is_not_carried_over_to_other_data_but_is_to_the_own_elsewhere(shell, tmp_path):
    for place, number, seed in (("faces", 120, 4), ("other", 90, 5)):
        (tmp_path / place).mkdir()
        write_faces(tmp_path / place, number, seed=seed)
    settings = (f"data.root={tmp_path / 'faces'}", "data.limit=60", "data.split_seed=3", "trainer.max_epochs=1")
    assert shell.train(*settings, "name=few").code == 0
    checkpoint = "ckpt_path=runs/few/tiny/plain/0/checkpoints/best.ckpt"
    (tmp_path / "faces").rename(tmp_path / "moved")
    for root, asked, told in (
        ("other", (), "90 of 90 images of other (all)"),
        ("other", ("data.limit=50",), "50 of 90 images of other (all)"),
        ("other", ("trainer.limit_test_batches=1", "data.batch_size=8"), "8 of 90 images of other (all)"),
        ("moved", (), "60 of 120 images of moved (all)"),
    ):
        evaluation = (checkpoint, f"data.root={tmp_path / root}", "part=all", f"output_dir={tmp_path}/out", *asked)
        finished = shell.evaluate(*evaluation)
        assert finished.code == 0 and told in finished.output, finished.output
    tested = shell.evaluate(checkpoint, f"data.root={tmp_path / 'moved'}", f"output_dir={tmp_path}/own")
    assert tested.code == 0, tested.output
    own = shell.record("few/tiny/plain/0")
    assert json.loads((tmp_path / "own" / "record.json").read_text())["test"] == own["test"]
    (shell.folder / "runs/few/tiny/plain/0/record.json").unlink()
    alone = shell.evaluate(checkpoint, f"data.root={tmp_path / 'moved'}", "part=all", f"output_dir={tmp_path}/out")
    assert "whether its network was trained on some of these images is unknown" in alone.output
    assert "120 of 120 images of moved (all)" in alone.output


def test_another_sample_of_the_own_data_is_not_tested_as_if_it_were_new(trained):
    refused = trained.evaluate(CHECKPOINT, "data.limit=60")
    assert refused.code == 2, refused.output
    assert "data.limit=60 makes another split than the one that this network was trained on" in refused.output
    assert trained.evaluate(CHECKPOINT, "data.limit=60", "part=all").code == 0
    split_again = trained.evaluate(CHECKPOINT, "data.split_seed=3")
    assert split_again.code == 0 and "images bear the names of images that this network" in split_again.output


def test_images_with_the_names_of_training_images_are_told(trained, tmp_path):
    split = trained.record("try/tiny/weighted/0")["data"]["split_file"]
    rows = list(csv.DictReader((trained.folder / split).read_text().splitlines()))
    own = Path(trained.environment["AGEGENDER_CACHE"]) / "synthetic-120-0-v1"
    for row in rows[:-1]:
        shutil.copy(own / row["image"], tmp_path)
    finished = trained.evaluate(CHECKPOINT, f"data.root={tmp_path}", "part=all", f"output_dir={tmp_path}/out")
    assert finished.code == 0, finished.output
    shared = sum(row["part"] != "test" for row in rows[:-1])
    assert f"{shared} of these {len(rows) - 1} images bear the names of images" in finished.output


def test_the_prior_is_taken_out_of_a_trained_networks_predictions_on_request(trained):
    counts = torch.tensor(trained.record("try/tiny/weighted/0")["data"]["groups"]["train"])
    own = pandas.read_csv(trained.folder / "runs/try/tiny/weighted/0/predictions.csv")
    finished = trained.evaluate(CHECKPOINT, "loss.logit_adjustment=1")
    assert finished.code == 0, finished.output
    (path,) = (trained.folder / "runs/try/tiny/weighted/0/eval").glob("*-test-adjusted-1/predictions.csv")
    columns = [column for column in own if column.startswith("p_") and column not in ("p_male", "p_female")]
    before, after = (torch.tensor(table[columns].to_numpy()) for table in (own, pandas.read_csv(path)))
    expected = before / (counts / counts.sum())
    torch.testing.assert_close(after, expected / expected.sum(dim=1, keepdim=True), atol=1e-3, rtol=0)


def test_shifted_views_are_averaged_on_request(trained, tmp_path):
    finished = trained.evaluate(CHECKPOINT, "test_time_shift=0.05", f"output_dir={tmp_path}")
    assert finished.code == 0, finished.output
    own = pandas.read_csv(trained.folder / "runs/try/tiny/weighted/0/predictions.csv")
    shifted = pandas.read_csv(tmp_path / "predictions.csv")
    assert (own["image"] == shifted["image"]).all()
    assert (own["p_male"] != shifted["p_male"]).any()


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        ((), "ckpt_path is not set"),
        (("ckpt_path=nowhere.ckpt",), "ckpt_path=nowhere.ckpt is not a file"),
        ((CHECKPOINT, "part=half"), "part=half"),
        ((CHECKPOINT, "data.root=nowhere"), "data.root=nowhere does not exist"),
        ((CHECKPOINT, "data.batch_size=0"), "data.batch_size=0"),
        (("ckpt_path=garbage.ckpt",), "garbage.ckpt is not a checkpoint"),
        ((CHECKPOINT, "+prt=val"), "prt=val: there is no such key, did you mean part?"),
        ((CHECKPOINT, "+loss.weighting=none"), "loss.weighting=none: there is no such key"),
    ],
)
def test_a_mistake_is_told_in_one_line_with_exit_code_2(trained, overrides, told):
    (trained.folder / "garbage.ckpt").write_bytes(b"garbage" * 100)
    finished = trained.evaluate(*overrides)
    assert finished.code == 2, finished.output
    lines = [line for line in finished.output.splitlines() if line.strip()]
    assert len(lines) == 1 and lines[0].startswith("error: ") and told in lines[0], finished.output
