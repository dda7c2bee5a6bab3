"""All that the report says, in its order.

The paper's statements and figures, tests, what accuracy hides, who is served how well, under-age faces, cost, an
appendix.
"""

from collections.abc import Sequence

import numpy as np

from agegender.labels import GENDERS
from agegender.report import figures_network, figures_results, grids, grids_runs, scores
from agegender.report.analysis import Analysis
from agegender.report.chosen import MOST_SHOWN, focus, predictions_of, slug
from agegender.report.claims import Judgement, scope
from agegender.report.contents_fairness import fairness_section
from agegender.report.contents_runs import appendix, cost
from agegender.report.contents_scores import scores_section, tests_section
from agegender.report.contents_underage import under_age
from agegender.report.cost import MeasuredCost
from agegender.report.document import Cell, Document, Figure, Grid, Heading, Section
from agegender.report.runs import Configuration, Sweep
from agegender.report.table import Comparison
from agegender.report.underage import AgeLimits


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
        _paper(sweep, analysis),
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
        grids.comparison(table),
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


def _paper(sweep: Sweep, analysis: Analysis) -> Section:
    blocks: list[Grid | Figure] = []
    described = [run.record for run in sweep.runs if run.record.data.get("groups")]
    if described:
        record = described[0]
        blocks.append(grids_runs.cardinality(record))
        if record.data.get("age_counts"):
            names = grids_runs.group_names(record)
            edges = grids_runs.group_edges(record)
            title = "Figure 2 of the paper: age distribution and the age groups"
            blocks.append(figures_results.age_distribution(record.data["age_counts"], edges, names, title))
    chosen = focus(sweep, analysis)[:MOST_SHOWN]
    if chosen:
        blocks += _network(chosen[0])
        for configuration in chosen:
            blocks += _confusions(configuration, plain=configuration.loss == chosen[0].loss)
    text = (
        "The paper's figures and its Table 1, from these runs. Its figure 1, sample faces, is in local/faces.html "
        "beside this page, where the images were at hand: they may not be passed on.",
    )
    return Section("paper", "The paper's figures", text, tuple(blocks))


def _network(configuration: Configuration) -> list[Grid | Figure]:
    grid = grids_runs.layers(configuration)
    if grid is None:
        return []
    layers = [
        figures_network.Layer(
            *(layer["name"], layer["kind"], tuple(layer["output"])), layer["num_params"], layer["macs"]
        )
        for layer in configuration.runs[0].record.network
    ]
    title = f"Figures 3 and 4 of the paper: the network, {configuration.model}"
    return [figures_network.network_diagram(layers, "network", title), grid]


def _confusions(configuration: Configuration, *, plain: bool) -> list[Grid | Figure]:
    runs = predictions_of(configuration)
    age = sum(scores.confusion(run.group, run.group_predicted, len(run.groups)) for run in runs)
    gender = sum(scores.confusion(run.gender, run.gender_predicted, len(GENDERS)) for run in runs)
    seeds = f", {len(runs)} seeds together" if len(runs) > 1 else ""
    key = slug(configuration.label)
    number = "Figure 5" if plain else "Figure 7"
    title = f"{number} of the paper: age groups, {configuration.label}{seeds}"
    found: list[Grid | Figure] = [
        figures_results.confusion_matrix(np.asarray(age), runs[0].groups, f"confusion-age-{key}", title)
    ]
    if plain:
        title = f"Figure 6 of the paper: gender, {configuration.label}{seeds}"
        found.append(figures_results.confusion_matrix(np.asarray(gender), GENDERS, f"confusion-gender-{key}", title))
    return found
