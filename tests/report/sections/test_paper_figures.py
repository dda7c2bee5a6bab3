"""The paper's figures: the borders of the age groups."""

import pytest
from made_jobs import job

from agegender.labels import age_groups
from agegender.report.sections.paper_figures import group_edges


@pytest.mark.parametrize(("scheme", "edges"), [("nearest", [0, 4, 8, 15, 23, 36, 46, 57]), ("named", [0, 60])])
def test_the_first_age_of_a_group_is_that_of_its_scheme(scheme: str, edges: list[int]) -> None:
    names = list(age_groups("nearest").names) if scheme == "nearest" else ["0-59", "60+"]
    assert group_edges(job(data__age_groups={"scheme": scheme, "names": names})) == edges
