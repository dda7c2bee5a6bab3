"""All that the report says, in its order.

The paper's statements and figures, tests, what accuracy hides, who is served how well, under-age faces, cost, an
appendix.
"""

from collections.abc import Sequence

from agegender.report.page.document import Cell, Document, Grid, Heading, Section
from agegender.report.results import Sweep
from agegender.report.sections.appendix import appendix
from agegender.report.sections.claims import Judgement, scope
from agegender.report.sections.cost import cost
from agegender.report.sections.fairness.fairness_section import fairness_section
from agegender.report.sections.overview import comparison
from agegender.report.sections.pairwise_tests import tests_section
from agegender.report.sections.paper_figures import paper
from agegender.report.sections.scores_section import scores_section
from agegender.report.sections.under_age.under_age_section import under_age
from agegender.report.statistics.age_limits import AgeLimits
from agegender.report.statistics.analysis import Analysis
from agegender.report.tables.measured_cost import MeasuredCost
from agegender.report.tables.rows import Comparison


def document(
    sweep: Sweep,
    analysis: Analysis,
    table: Comparison,
    verdict: str,
    judgements: Sequence[Judgement],
    costs: Sequence[MeasuredCost],
    limits: AgeLimits,
) -> Document:
    """Put the report together."""
    sections = [
        _statements(judgements, analysis),
        paper(sweep, analysis),
        tests_section(analysis),
        scores_section(sweep, analysis),
        fairness_section(sweep, analysis),
        under_age(sweep, limits),
        cost(sweep, costs),
        appendix(sweep),
    ]
    return Document(
        sweep.name,
        verdict,
        tuple(table.warnings),
        comparison(table),
        tuple(section for section in sections if section.blocks or section.paragraphs),
    )


def _statements(judgements: Sequence[Judgement], analysis: Analysis) -> Section:
    """What the paper says, and what becomes of it here."""
    if not judgements:
        return Section("statements", "The paper's statements")
    rows = tuple(
        (
            Cell(one.statement, one.statement),
            Cell(one.verdict, one.verdict),
            Cell(one.figures, one.figures),
            Cell(one.test, one.test),
        )
        for one in judgements
    )
    headings = (Heading("Statement"), Heading("Here"), Heading("Measured, with 95 % intervals"), Heading("Test"))
    grid = Grid("What the paper says, judged", headings, rows)
    return Section("statements", "The paper's statements", (scope(analysis),), (grid,))
