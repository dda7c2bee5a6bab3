"""The public functions of `import agegender`."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from making import jpeg, make_zip, name_of
from PIL import Image
from tiny_training import Trains

import agegender
from agegender.system.errors import InputError


@pytest.fixture(scope="module")
def run(trains: Trains, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    trains(folder, "seed=3")
    return folder / "job"


def test_the_import_brings_neither_torch_nor_pandas() -> None:
    program = "import sys, agegender; print(not {'torch', 'pandas', 'numpy', 'hydra'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "True\n"


def test_what_is_offered_is_listed_and_nothing_else_is_there() -> None:
    assert {"load", "read_runs", "read_predictions"} <= set(dir(agegender))
    with pytest.raises(AttributeError, match="no attribute 'lead'"):
        _ = agegender.lead  # pyright: ignore[reportAttributeAccessIssue]


def test_one_face_is_predicted_alike_from_a_file_a_folder_an_archive_a_picture_and_an_array(
    run: Path, tmp_path: Path
) -> None:
    path = tmp_path / "faces" / name_of(30, 1)
    path.parent.mkdir()
    path.write_bytes(jpeg(5))
    archive = make_zip(tmp_path / "a.zip", {path.name: jpeg(5)})
    with Image.open(path) as picture:
        pixels = np.array(picture)
        given: list[Any] = [path, str(path.parent), archive, picture, pixels, [pixels, path]]
        predictor = agegender.load(run / "checkpoints" / "best.ckpt")
        found = [predictor.predict(faces) for faces in given]
    assert [len(one) for one in found] == [1, 1, 1, 1, 1, 2]
    assert [one[0].path for one in found] == [path, path, archive / path.name, None, None, None]
    values = {(one.group, round(one.years, 3), one.gender) for several in found for one in several}
    assert len(values) == 1


def test_a_file_that_is_no_picture_says_why_and_the_others_are_predicted(run: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    (tmp_path / "b.jpg").write_bytes(jpeg(1))
    first, second = agegender.load(run / "checkpoints" / "best.ckpt").predict(tmp_path)
    assert first.error and not first.group
    assert second.group and not second.error


@pytest.mark.parametrize(
    "face", [np.zeros((8, 8, 3)), np.zeros((8, 8), np.uint8), np.zeros((3, 8, 8), np.uint8)], ids=str
)
def test_an_array_that_is_no_picture_is_refused(run: Path, face: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"give uint8 \(H, W, 3\)"):
        agegender.load(run / "checkpoints" / "best.ckpt").predict(face)


def test_runs_are_a_table_with_a_row_each(run: Path) -> None:
    table = agegender.read_runs(run.parent)
    assert isinstance(table, pd.DataFrame) and len(table) == 1
    row = table.iloc[0]
    assert (row["model"], row["seed"], row["status"]) == ("compact_small", 3, "complete")
    assert 0 <= row["test.age_accuracy"] <= 1 and row["time.fit_seconds"] > 0
    assert not any("confusion" in key for key in table.columns)


def test_predictions_are_a_table_that_gives_the_scores_of_the_record(run: Path) -> None:
    (row,) = agegender.read_runs(run.parent).to_dict("records")
    for part in ("test", "val"):
        table = agegender.read_predictions(run.parent, part=part)
        assert set(table["model"]) == {"compact_small"} and set(table["seed"]) == {3}
        accuracy = (table["group"] == table["group_predicted"]).mean()
        assert accuracy == pytest.approx(row[f"{part}.age_accuracy"], abs=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda folder: agegender.read_runs(folder / "nowhere"), "is not a directory"),
        (lambda folder: agegender.read_runs(folder), "holds no run"),
        (lambda folder: agegender.read_predictions(folder), "holds no predictions.csv"),
        (lambda folder: agegender.read_predictions(folder, part="train"), "choose test or val"),
        (lambda folder: agegender.load(folder / "no.ckpt"), "is not a file"),
    ],
)
def test_a_mistake_is_said(call: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        call(tmp_path)
