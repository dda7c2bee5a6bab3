"""The report's section on the paper's figures and its Table 1, drawn from these runs."""

import numpy as np

from agegender.labels import GENDERS, SCHEMES, age_groups
from agegender.records.record import Record
from agegender.records.scores import confusion
from agegender.report.figures import network
from agegender.report.figures.age_distribution import age_distribution
from agegender.report.figures.confusion_matrix import confusion_matrix
from agegender.report.page.document import Cell, Figure, Grid, Heading, Section
from agegender.report.results import Configuration, SweepResults
from agegender.report.sections.cells import number_cell, text_cell
from agegender.report.sections.highlighted import MAX_SHOWN, highlighted_configurations, predictions_for, slug
from agegender.report.statistics.analysis import Analysis

_PARTS = {"train": "Training", "val": "Validation", "test": "Test"}


def paper_section(sweep: SweepResults, analysis: Analysis) -> Section:
    """Return the section of the paper's figures 2 to 7 and its Table 1, from these runs."""
    blocks: list[Grid | Figure] = []
    described = [run.record for run in sweep.runs if run.record.data.get("groups")]
    if described:
        record = described[0]
        blocks.append(cardinality_grid(record))
        if record.data.get("age_counts"):
            names = group_names(record)
            edges = group_edges(record)
            title = "Figure 2 of the paper: age distribution and the age groups"
            blocks.append(age_distribution(record.data["age_counts"], edges, names, title))
    highlighted = highlighted_configurations(sweep, analysis)[:MAX_SHOWN]
    if highlighted:
        blocks += _network(highlighted[0])
        for configuration in highlighted:
            blocks += _confusions(configuration)
    paragraphs = (
        "The paper's figures and its Table 1, from these runs. Its figure 1, sample faces, is in local/faces.html "
        "beside this page, if the images were available; it must not be shared.",
    )
    return Section("paper", "The paper's figures", paragraphs, tuple(blocks))


def _network(configuration: Configuration) -> list[Grid | Figure]:
    grid = layers_grid(configuration)
    if grid is None:
        return []
    drawn = [
        network.Layer(layer["name"], layer["kind"], tuple(layer["output"]), layer["num_params"], layer["macs"])
        for layer in configuration.runs[0].record.network
    ]
    title = f"Figures 3 and 4 of the paper: the network, {configuration.model}"
    return [network.network_diagram(drawn, "network", title), grid]


def _confusions(configuration: Configuration) -> list[Grid | Figure]:
    runs = predictions_for(configuration, "age")
    age = sum(confusion(run.group, predicted=run.group_predicted, num_classes=len(run.groups)) for run in runs)
    of_gender = predictions_for(configuration, "gender")
    gender = sum(confusion(run.gender, predicted=run.gender_predicted, num_classes=len(GENDERS)) for run in of_gender)
    num_runs = len(runs or of_gender)
    seeds = f", {num_runs} seeds together" if num_runs > 1 else ""
    key = slug(configuration.label)
    of_paper = {"plain": "Figure 5 of the paper: ", "weighted": "Figure 7 of the paper: "}.get(configuration.loss, "")
    title = f"{of_paper}age groups, {configuration.label}{seeds}"
    found: list[Grid | Figure] = []
    if runs:
        found.append(confusion_matrix(np.asarray(age), runs[0].groups, f"confusion-age-{key}", title))
    if configuration.loss == "plain" and of_gender:
        title = f"Figure 6 of the paper: gender, {configuration.label}{seeds}"
        found.append(confusion_matrix(np.asarray(gender), GENDERS, f"confusion-gender-{key}", title))
    return found


def group_names(record: Record) -> tuple[str, ...]:
    """Return the names of a record's age groups; an older record has only the name of the scheme."""
    scheme = record.data["age_groups"]
    if "names" in scheme:
        return tuple(scheme["names"])
    return age_groups(scheme["scheme"]).names if scheme["scheme"] in SCHEMES else ()


def group_edges(record: Record) -> list[int]:
    """Return the first age of each of a record's age groups, in years; of an unknown scheme, as the names say."""
    scheme = record.data["age_groups"]["scheme"]
    if scheme in SCHEMES:
        group_of_age = age_groups(scheme).group_of_age
        return [int(np.flatnonzero(group_of_age == group)[0]) for group in range(len(group_names(record)))]
    return [int(name.replace("+", "-").partition("-")[0]) for name in group_names(record)]


def cardinality_grid(record: Record) -> Grid:
    """Return the paper's Table 1: images of each age group in each part."""
    groups = record.data["groups"]
    names = group_names(record)
    rows = [
        (
            text_cell(name),
            *(number_cell(groups[part][index]) for part in _PARTS),
            number_cell(sum(groups[p][index] for p in _PARTS)),
        )
        for index, name in enumerate(names)
    ]
    totals = [sum(groups[part]) for part in _PARTS]
    rows.append((Cell("all", "~"), *map(number_cell, totals), number_cell(sum(totals))))
    headings = (Heading("Age group"), *(Heading(title, numeric=True) for title in (*_PARTS.values(), "All")))
    scheme = record.data["age_groups"]["scheme"]
    return Grid(
        f"The paper's Table 1: images of each age group ({scheme} groups)",
        headings,
        tuple(rows),
        ("The paper: 16,391 training, 2,892 validation and 4,821 test images of another release of the data.",),
    )


def layers_grid(configuration: Configuration) -> Grid | None:
    """Return a table of the layers of the network; None where the record has none."""
    record = configuration.runs[0].record
    if not record.network:
        return None
    rows = [
        (
            Cell(str(layer["name"]), index),
            text_cell(layer["kind"]),
            Cell(" x ".join(map(str, layer["output"])), index),
            number_cell(layer["num_params"]),
            number_cell(layer["macs"] / 1e6, 2),
        )
        for index, layer in enumerate(record.network)
    ]
    headings = (
        Heading("Layer"),
        Heading("Kind"),
        Heading("Output", "Channels x height x width."),
        Heading("Parameters", numeric=True),
        Heading("MACs, M", "Multiply-accumulates of one image.", numeric=True),
    )
    total = f"{sum(layer['num_params'] for layer in record.network):,} parameters"
    return Grid(f"{configuration.model}, layer by layer: {total}", headings, tuple(rows))
