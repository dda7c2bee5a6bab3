"""What a job writes of its tested images, read back."""

from dataclasses import fields
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from made_runs import GROUPS, random_predictions

from agegender.data.sources.base import FaceTable
from agegender.jobs.predictions import save_predictions
from agegender.labels import age_groups
from agegender.records.predictions import Predictions, read


def job_of(made: Predictions) -> tuple[SimpleNamespace, SimpleNamespace]:
    """A tested module and its data, as `save_predictions` sees them, in two batches."""
    values = {"group": made.p_group, "gender": made.p_gender, "years": made.years_predicted.astype(np.float32)}
    tensors = {"row": torch.arange(len(made))} | {key: torch.from_numpy(value) for key, value in values.items()}
    batches = [{key: value[part] for key, value in tensors.items()} for part in (slice(0, 7), slice(7, None))]
    size = len(made)
    table = FaceTable(
        tuple(made.images),
        made.years.astype(int),
        made.gender,
        made.race,
        sha256=("",) * size,
        clusters=np.arange(size),
        skipped=("",) * size,
    )
    return SimpleNamespace(predictions=batches), SimpleNamespace(table=table, groups=age_groups("closed"))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_a_job_writes_is_read_back_as_it_was(tmp_path, seed):
    made = random_predictions(seed, 40)
    save_predictions(tmp_path / "predictions.csv", *job_of(made))
    found = read(tmp_path / "predictions.csv", groups=GROUPS)
    assert found.groups == made.groups
    for field in fields(Predictions):
        one = getattr(found, field.name)
        other = getattr(made, field.name)
        assert np.array_equal(one, other), field.name


def test_the_labels_of_the_rows_are_returned(tmp_path):
    made = random_predictions(3, 40)
    labels = save_predictions(tmp_path / "predictions.csv", *job_of(made))
    assert labels == {
        "group": made.group.tolist(),
        "group_predicted": made.group_predicted.tolist(),
        "gender": made.gender.tolist(),
        "gender_predicted": made.gender_predicted.tolist(),
    }
