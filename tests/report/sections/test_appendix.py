"""The commands that repeat jobs."""

from pathlib import Path

import pytest
from made_jobs import job

from agegender.report.results import Run
from agegender.report.sections.appendix import jobs_grid, repeat_command


@pytest.mark.parametrize(
    ("choices", "told"),
    [
        ({"optimizer": "adam", "augment": "none"}, "loss=plain optimizer=adam augment=none data.root=UTKFace.tar"),
        ({"experiment": "fast", "augment": "none"}, "model=m loss=plain experiment=fast augment=none data.root="),
        ({"trainer.max_time": "00:08:00:00"}, "++trainer.max_time=00:08:00:00 "),
        ({"optimizer.lr": "0.1"}, " optimizer.lr=0.1 "),
        ({"data.root": "/my data/UTKFace.tar"}, " 'data.root=/my data/UTKFace.tar' "),
        ({"hparams_search": "optuna", "model.dropout": "0.3"}, "model=m loss=plain model.dropout=0.3 "),
    ],
)
def test_the_command_of_a_job_repeats_it(choices: dict[str, str], told: str) -> None:
    made = job(config__data={"root": "UTKFace.tar", "image_size": 64})
    made.choices = {"model": "m", "loss": "plain", **choices}
    text = repeat_command(made)
    assert told in text and text.startswith("python train.py model=m ") and text.endswith(" seed=0 name=mine")


def test_the_command_of_a_job_is_what_it_was_composed_of() -> None:
    made = job()
    made.overrides = ["experiment=demo", "data.root='a b.tar'", "+search.trial=3", "hparams_search=optuna", "seed=1"]
    assert repeat_command(made) == "python train.py experiment=demo 'data.root='\"'\"'a b.tar'\"'\"'' seed=1"


def test_a_job_leads_to_its_run_in_wandb_where_there_is_one() -> None:
    online = job()
    online.tracking = {"wandb": {"url": "https://wandb.ai/team/faces/runs/ab12"}}
    hostile = job()
    hostile.tracking = {"wandb": {"url": "javascript:alert(1)"}}
    grid = jobs_grid([Run(Path("a"), record, None, None) for record in (online, hostile, job())])
    column = [heading.title for heading in grid.headings].index("W&B")
    assert [row[column].link for row in grid.rows] == ["https://wandb.ai/team/faces/runs/ab12", "", ""]
    offline = jobs_grid([Run(Path("a"), job(), None, None)])
    assert "W&B" not in [heading.title for heading in offline.headings]
