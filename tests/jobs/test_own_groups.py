"""Age groups of one's own, by their first years: every method, a whole job, its checkpoint and the report."""

from pathlib import Path

import numpy as np
import pytest
import torch
from composing import composed
from paths import CONF
from tiny_training import Trains

from agegender.jobs import build
from agegender.labels import age_groups
from agegender.records.predictions import read
from agegender.report.write import write_report

EDGES = [0, 18, 65]
LOSSES = sorted(path.stem for path in (CONF / "loss").glob("*.yaml"))


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_predicts_as_many_groups_as_there_are(loss: str) -> None:
    method = build.make_method(composed(f"loss={loss}", "data.age_groups=[0,18,65]"))
    groups = age_groups(EDGES)
    group_of_age = torch.from_numpy(groups.group_of_age)
    method.prepare(torch.ones(121, dtype=torch.int64), group_of_age)
    torch.manual_seed(0)
    years = torch.tensor([3, 17, 18, 64, 65, 100])
    outputs = torch.randn(6, method.num_outputs, requires_grad=True)
    method(outputs, group_of_age[years], years).backward()
    assert outputs.grad is not None and outputs.grad.isfinite().all()
    decoded = method.decode(outputs.detach())
    assert decoded.group.shape == (6, 3)
    torch.testing.assert_close(decoded.group.sum(dim=1), torch.ones(6))
    assert method.group_counts.tolist() == [18, 47, 56]


def test_a_job_with_groups_of_its_own_is_trained_reported_and_loaded(trains: Trains, tmp_path: Path) -> None:
    status, entry = trains(tmp_path, "data.age_groups=[0,18,65]")
    assert status == "complete" and entry is not None
    assert entry.data["age_groups"] == {"scheme": "[0,18,65]", "names": ["0-17", "18-64", "65+"]}
    assert np.array(entry.test["age_confusion"]).shape == (3, 3)
    found = read(tmp_path / "job" / "predictions.csv", groups=entry.data["age_groups"]["names"])
    assert set(found.group) == {0, 1, 2}
    trained = build.load_trained(tmp_path / "job" / "checkpoints" / "best.ckpt")
    assert trained.groups.names == ("0-17", "18-64", "65+")
    written = write_report(tmp_path)
    assert written.table.rows[0]["age_accuracy"] == pytest.approx(100 * entry.test["age_accuracy"])
