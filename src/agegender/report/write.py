"""runs/NAME/report: the page, the tables and the figures, rebuilt from records and predictions alone."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agegender.records.predictions import Predictions
from agegender.report.figures import faces
from agegender.report.page.document import Document, Figure, Section
from agegender.report.page.html import render
from agegender.report.results import Sweep, read_sweep
from agegender.report.sections.claims import claim, judge
from agegender.report.sections.document import document
from agegender.report.sections.focus import focus, predictions_of
from agegender.report.sections.verdict import verdict
from agegender.report.statistics.analysis import TASKS, Analysis, analyse
from agegender.report.statistics.under_age import AgeLimits
from agegender.report.tables import formats
from agegender.report.tables.cost import read_costs
from agegender.report.tables.rows import Comparison, compare
from agegender.report.tables.summary import summarise
from agegender.system.files import write_atomically

_PER_GROUP = 5  # sample faces
_MISTAKES = 24  # faces of a gallery
_LIMITS = AgeLimits()

ReadImage = Callable[[str], np.ndarray]


@dataclass(frozen=True)
class Report:
    """What was written.

    Attributes:
        folder: runs/NAME/report.
        table: the comparison, a row per configuration.
        verdict: what the tests allow to say, one sentence.
        claim: what becomes of the paper's statements, lines; empty where its networks were not compared.
        page: index.html, which shows no face and may be passed on.
        faces: local/faces.html, for this machine alone; None where the images are not at hand.
        figures: PNG files of the page by key.
    """

    folder: Path
    table: Comparison
    verdict: str
    claim: str
    page: Path
    faces: Path | None
    figures: dict[str, Path]

    def told(self) -> str:
        """The verdict, and where the files are: lines for a terminal."""
        lines = [
            self.verdict,
            *([self.claim] if self.claim else []),
            f"The report: {self.page}",
            f"The table: {self.folder / 'table.md'} (.tex, .csv)",
        ]
        return "\n".join([*lines, *([f"Faces, for this machine alone: {self.faces}"] if self.faces else [])])


def write_report(folder: Path, *, limits: AgeLimits = _LIMITS, read_image: ReadImage | None = None) -> Report:
    """Rebuild runs/NAME/report from the records and predictions below runs/NAME.

    Args:
        folder: runs/NAME.
        limits: at which ages minors and adults are told apart.
        read_image: gives the pixels of a test image, uint8 (H, W, 3), by its name, or raises ValueError or OSError;
            None where the images are not at hand.

    Raises:
        InputError: a record cannot be read.
    """
    sweep = read_sweep(folder)
    analysis = analyse(sweep)
    costs = read_costs(folder)
    table = summarise(sweep, analysis, costs)
    said = verdict(sweep, analysis, table)
    judged = [] if table.warnings else judge(sweep, analysis, costs)
    report = folder / "report"
    _write_tables(report, sweep, table)
    write_atomically(report / "pairs.csv", _pairs(analysis))
    contents = document(sweep, analysis, table, said, judged, costs, limits)
    figures = _write_figures(report / "figures", contents.figures)
    write_atomically(report / "index.html", render(contents, public=True))
    local = report / "local" / "faces.html"
    shown = None if read_image is None else _faces(sweep, analysis, read_image)
    if shown is None:
        local.unlink(missing_ok=True)  # of an earlier report, perhaps of other runs
    else:
        write_atomically(local, render(shown))
    return Report(
        report,
        table,
        said,
        claim(judged, analysis),
        report / "index.html",
        local if shown is not None else None,
        figures,
    )


def _write_tables(report: Path, sweep: Sweep, table: Comparison) -> None:
    notes = "\n".join(f"- {note}" for note in (*table.legend, *table.notes))
    write_atomically(report / "table.md", f"# {sweep.name}\n\n{formats.markdown(table)}\n\n{notes}\n")
    write_atomically(report / "table.tex", formats.latex(table))
    write_atomically(report / "table.csv", formats.as_csv(table))
    of_runs = compare((run.folder, run.record) for run in sweep.runs)
    write_atomically(report / "runs.csv", formats.as_csv(of_runs))


def _pairs(analysis: Analysis) -> str:
    """Give every pair of configurations, as shares in [0, 1]."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["task", "first", "second", "difference", "low", "high", "p", "p_holm"])
    for task in TASKS:
        for pair in analysis.pairs[task]:
            ends = pair.difference.interval or ("", "")
            writer.writerow([task, pair.first, pair.second, pair.difference.value, *ends, pair.p_value, pair.adjusted])
    return text.getvalue()


def _write_figures(folder: Path, figures: Sequence[Figure]) -> dict[str, Path]:
    """Write PNG and SVG files; those of an earlier report that are no more are removed."""
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


def _faces(sweep: Sweep, analysis: Analysis, read_image: ReadImage) -> Document | None:
    """Show samples of each age group, and what was most confidently got wrong: a page of its own, never passed on."""
    chosen = focus(sweep, analysis)
    if not chosen:
        return None
    first = predictions_of(chosen[0])[0]
    sections = [
        Section(
            "samples",
            "Figure 1 of the paper: sample faces of each age group",
            blocks=(faces.sample_faces(_by_group(first), read_image, _PER_GROUP),),
        )
    ]
    for configuration in chosen:
        predictions = predictions_of(configuration)[0]
        blocks = tuple(faces.mistakes(predictions, task, read_image, _MISTAKES) for task in TASKS)
        text = (
            "The surest of the wrong predictions. Where the label is wrong rather than the network, this finds it.",
        )
        sections.append(Section(f"mistakes-{configuration.loss}", f"Mistakes of {configuration.label}", text, blocks))
    said = "The licence of the data set does not allow to pass these faces on: this page is for this machine."
    return Document(f"{sweep.name}: faces", said, (), None, tuple(sections))


def _by_group(predictions: Predictions) -> list[tuple[str, list[str]]]:
    """Draw names of test images of each group, the same ones every time."""
    random, found = np.random.default_rng(0), []
    for index, name in enumerate(predictions.groups):
        inside = np.flatnonzero(predictions.group == index)
        drawn = random.permutation(inside)[: 2 * _PER_GROUP]  # spares, for images that cannot be read
        found.append((name, [str(predictions.images[row]) for row in drawn]))
    return found
