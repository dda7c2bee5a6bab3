"""The paper's figures: the borders of the age groups."""

from pathlib import Path

import pytest
from made_jobs import job
from made_runs import random_predictions, write_run

from agegender.labels import age_groups
from agegender.report.results import read_sweep
from agegender.report.sections.paper_figures import group_edges, paper_section
from agegender.report.statistics.analysis import analyse


@pytest.mark.parametrize(("scheme", "edges"), [("nearest", [0, 4, 8, 15, 23, 36, 46, 57]), ("named", [0, 60])])
def test_the_first_age_of_a_group_is_that_of_its_scheme(scheme: str, edges: list[int]) -> None:
    names = list(age_groups("nearest").names) if scheme == "nearest" else ["0-59", "60+"]
    assert group_edges(job(data__age_groups={"scheme": scheme, "names": names})) == edges


def test_only_the_papers_own_losses_make_the_papers_figures(tmp_path: Path) -> None:
    for loss in ("coral", "plain", "weighted"):
        write_run(tmp_path, random_predictions(1, 40), loss=loss)
    sweep = read_sweep(tmp_path)
    titles = [getattr(block, "title", "") for block in paper_section(sweep, analyse(sweep)).blocks]
    found = {title.partition(" of the paper")[0]: title for title in titles if "age groups, " in title}
    assert "plain" in found["Figure 5"] and "weighted" in found["Figure 7"]
    assert [title for title in titles if title.startswith("age groups, ") and "coral" in title]
