"""Write runs/NAME/report: the page, the tables and the figures, from records and predictions alone."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agegender.records.predictions import Predictions
from agegender.report.figures import faces
from agegender.report.figures.faces import ReadImage
from agegender.report.page.document import Document, Figure, Section
from agegender.report.page.html import render
from agegender.report.results import SweepResults, read_sweep
from agegender.report.sections.assemble import assemble_document
from agegender.report.sections.claims import judge_statements, statements_text
from agegender.report.sections.highlighted import highlighted_configurations, predictions_of
from agegender.report.sections.verdict import verdict_sentence
from agegender.report.statistics.age_limits import AgeLimits
from agegender.report.statistics.analysis import TASKS, Analysis, analyse
from agegender.report.tables import text_formats
from agegender.report.tables.measured_cost import read_costs
from agegender.report.tables.rows import ComparisonTable, compare_jobs
from agegender.report.tables.summary import compare_configurations
from agegender.system.files import write_atomically

_FACES_PER_GROUP = 5  # in the figure of sample faces
_NUM_MISTAKES = 24  # faces in a gallery of mistakes
_DEFAULT_LIMITS = AgeLimits()


@dataclass(frozen=True)
class WrittenReport:
    """A report that was written.

    Attributes:
        folder: runs/NAME/report.
        table: the comparison table, one row per configuration.
        verdict: the conclusion that the tests allow, a sentence or two.
        statements: the decisions on the paper's statements, one line each; empty where its networks were not compared.
        page: index.html, which shows no face and may be shared.
        faces: local/faces.html, which must stay on this machine; None where the images are not available.
        figures: PNG files of the page by key.
    """

    folder: Path
    table: ComparisonTable
    verdict: str
    statements: str
    page: Path
    faces: Path | None
    figures: dict[str, Path]

    def as_text(self) -> str:
        """Return the verdict and the paths of the files, for a terminal."""
        lines = [
            self.verdict,
            *([self.statements] if self.statements else []),
            f"The report: {self.page}",
            f"The table: {self.folder / 'table.md'} (.tex, .csv)",
        ]
        return "\n".join([*lines, *([f"Faces, not to be shared: {self.faces}"] if self.faces else [])])


def write_report(
    folder: Path, *, limits: AgeLimits = _DEFAULT_LIMITS, read_image: ReadImage | None = None
) -> WrittenReport:
    """Rebuild runs/NAME/report from the records and predictions below runs/NAME.

    Args:
        folder: runs/NAME.
        limits: ages that separate minors from adults.
        read_image: returns the pixels of a test image, uint8 (H, W, 3), by its name, or raises ValueError or OSError;
            None where the images are not available.

    Raises:
        InputError: a record cannot be read.
    """
    sweep = read_sweep(folder)
    analysis = analyse(sweep)
    costs = read_costs(folder)
    table = compare_configurations(sweep, analysis, costs)
    conclusion = verdict_sentence(sweep, analysis, table)
    judgements = [] if table.warnings else judge_statements(sweep, analysis, costs)
    report = folder / "report"
    _write_tables(report, sweep, table)
    write_atomically(report / "pairs.csv", _pairs(analysis))
    contents = assemble_document(sweep, analysis, table, conclusion, judgements, costs, limits)
    figures = _write_figures(report / "figures", contents.figures)
    write_atomically(report / "index.html", render(contents, public=True))
    faces_page = report / "local" / "faces.html"
    faces_document = None if read_image is None else _faces(sweep, analysis, read_image)
    if faces_document is None:
        faces_page.unlink(missing_ok=True)  # left by an earlier report, perhaps of other runs
    else:
        write_atomically(faces_page, render(faces_document))
    return WrittenReport(
        report,
        table,
        conclusion,
        statements_text(judgements, analysis),
        report / "index.html",
        faces_page if faces_document is not None else None,
        figures,
    )


def _write_tables(report: Path, sweep: SweepResults, table: ComparisonTable) -> None:
    notes = "\n".join(f"- {note}" for note in (*table.legend, *table.notes))
    write_atomically(report / "table.md", f"# {sweep.name}\n\n{text_formats.markdown(table)}\n\n{notes}\n")
    write_atomically(report / "table.tex", text_formats.latex(table))
    write_atomically(report / "table.csv", text_formats.as_csv(table))
    of_runs = compare_jobs((run.folder, run.record) for run in sweep.runs)
    write_atomically(report / "runs.csv", text_formats.as_csv(of_runs))


def _pairs(analysis: Analysis) -> str:
    """Return a CSV of the tests of all pairs of configurations; accuracies are shares in [0, 1]."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["task", "first", "second", "difference", "low", "high", "p", "p_holm"])
    for task in TASKS:
        for pair in analysis.pairs[task]:
            ends = pair.difference.interval or ("", "")
            writer.writerow([task, pair.first, pair.second, pair.difference.value, *ends, pair.p_value, pair.adjusted])
    return text.getvalue()


def _write_figures(folder: Path, figures: Sequence[Figure]) -> dict[str, Path]:
    """Write PNG and SVG files, and remove those of an earlier report that this one does not have."""
    folder.mkdir(parents=True, exist_ok=True)
    written: dict[Path, bytes] = {}
    for figure in figures:
        written[folder / f"{figure.key}.png"] = figure.png
        if figure.svg is not None:
            written[folder / f"{figure.key}.svg"] = figure.svg.encode()
    for path, content in written.items():
        write_atomically(path, content)
    for path in folder.iterdir():
        if path not in written and path.suffix in (".png", ".svg"):
            path.unlink()
    return {figure.key: folder / f"{figure.key}.png" for figure in figures}


def _faces(sweep: SweepResults, analysis: Analysis, read_image: ReadImage) -> Document | None:
    """Make the page of sample faces and of the most confident mistakes; it must stay on this machine."""
    highlighted = [one for one in highlighted_configurations(sweep, analysis) if predictions_of(one)]
    if not highlighted:
        return None
    first = predictions_of(highlighted[0])[0]
    sections = [
        Section(
            "samples",
            "Figure 1 of the paper: sample faces of each age group",
            blocks=(faces.sample_faces(_by_group(first), read_image, _FACES_PER_GROUP),),
        )
    ]
    for configuration in highlighted:
        predictions = predictions_of(configuration)[0]
        blocks = tuple(faces.mistakes(predictions, task, read_image, _NUM_MISTAKES) for task in TASKS)
        text = ("The most confident of the wrong predictions. Some may be wrong labels, not mistakes of the network.",)
        sections.append(Section(f"mistakes-{configuration.loss}", f"Mistakes of {configuration.label}", text, blocks))
    notice = "The licence of the data set does not allow sharing these faces; keep this page on this machine."
    return Document(f"{sweep.name}: faces", notice, (), None, tuple(sections))


def _by_group(predictions: Predictions) -> list[tuple[str, list[str]]]:
    """Draw names of test images of each group, with a fixed seed."""
    random = np.random.default_rng(0)
    found = []
    for index, name in enumerate(predictions.groups):
        inside = np.flatnonzero(predictions.group == index)
        drawn = random.permutation(inside)[: 2 * _FACES_PER_GROUP]  # twice as many as shown: some may be unreadable
        found.append((name, [str(predictions.images[row]) for row in drawn]))
    return found
