"""Assemble the report from its sections.

Their order: the paper's statements and figures, tests, other scores, fairness, under-age faces, cost, appendix.
"""

from collections.abc import Sequence

from agegender.report.page.document import Cell, Document, Grid, Heading, Section
from agegender.report.results import SweepResults
from agegender.report.sections.appendix import appendix_section
from agegender.report.sections.claims import Judgement, scope
from agegender.report.sections.cost import cost_section
from agegender.report.sections.fairness.fairness_section import fairness_section
from agegender.report.sections.overview import overview_grid
from agegender.report.sections.pairwise_tests import tests_section
from agegender.report.sections.paper_figures import paper_section
from agegender.report.sections.scores_section import scores_section
from agegender.report.sections.under_age.under_age_section import under_age_section
from agegender.report.statistics.age_limits import AgeLimits
from agegender.report.statistics.analysis import Analysis
from agegender.report.tables.measured_cost import MeasuredCost
from agegender.report.tables.rows import ComparisonTable


def assemble_document(
    sweep: SweepResults,
    analysis: Analysis,
    table: ComparisonTable,
    verdict: str,
    judgements: Sequence[Judgement],
    costs: Sequence[MeasuredCost],
    limits: AgeLimits,
) -> Document:
    """Return the whole report."""
    sections = [
        _statements(judgements, analysis),
        paper_section(sweep, analysis),
        tests_section(analysis),
        scores_section(sweep, analysis),
        fairness_section(sweep, analysis),
        under_age_section(sweep, limits),
        cost_section(sweep, costs),
        appendix_section(sweep),
    ]
    return Document(
        sweep.name,
        verdict,
        tuple(table.warnings),
        overview_grid(table),
        tuple(section for section in sections if section.blocks or section.paragraphs),
    )


def _statements(judgements: Sequence[Judgement], analysis: Analysis) -> Section:
    """Return the section on the paper's statements and whether they hold here."""
    if not judgements:
        return Section("statements", "The paper's statements")
    rows = tuple(
        (
            Cell(one.statement, one.statement),
            Cell(one.decision, one.decision),
            Cell(one.figures, one.figures),
            Cell(one.test, one.test),
        )
        for one in judgements
    )
    headings = (Heading("Statement"), Heading("Here"), Heading("Measured, with 95 % intervals"), Heading("Test"))
    grid = Grid("The paper's statements, and whether they hold", headings, rows)
    return Section("statements", "The paper's statements", (scope(analysis),), (grid,))
