"""Runs and predictions as tables: what is damaged is named."""

from pathlib import Path

import pytest
from made_runs import make_predictions, write_run

from agegender.records.frames import read_predictions
from agegender.system.errors import InputError


def test_predictions_of_runs_are_one_table_that_names_them(tmp_path: Path) -> None:
    for model in ("vgg11", "resnet18"):
        write_run(tmp_path, make_predictions([4, 5], race=[-1, 2]), model=model, seed=3)
    table = read_predictions(tmp_path)
    assert list(table.columns[:6]) == ["folder", "model", "loss", "seed", "image", "group"]
    assert table["model"].tolist() == ["resnet18", "resnet18", "vgg11", "vgg11"]
    assert table["race"].isna().tolist() == [True, False, True, False]


def test_damaged_predictions_are_named(tmp_path: Path) -> None:
    path = write_run(tmp_path, make_predictions([4, 5])) / "predictions.csv"
    path.write_text(path.read_text()[:-40])
    with pytest.raises(InputError, match=f"^{path} does not hold a run's predictions"):
        read_predictions(tmp_path)
