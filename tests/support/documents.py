"""Documents for tests: a realistic one of made-up values, and one whose every text tries to break out of the page."""

import io
from dataclasses import replace
from itertools import pairwise

import numpy as np
from PIL import Image

from agegender.report.page.document import Cell, Document, Figure, Grid, Heading, Section

HOSTILE = (
    "<script>window.ran = 1</script> <img src=x onerror='window.ran = 1'> \"double\" 'single' {{ 7 * 7 }} {% raw %} "
    "</style></title></textarea>--> javascript:window.ran=1 &amp; &lt;"
)

HEADINGS = (
    Heading("Configuration", "Model and loss; what else varies in the sweep stands with them."),
    Heading("Seeds", "Complete runs of all that were begun.", numeric=True),
    Heading("Age %", "Images whose age group is right; below, the 95 % interval of the test images.", numeric=True),
    Heading("Paper", "What Uraimov & Yoo 2022 give in Table 2.", numeric=True),
    Heading("Gender %", "Images whose gender is right.", numeric=True),
    Heading("Balanced %", "Mean over age groups of the share that is right.", numeric=True),
    Heading("1-off %", "Images whose age group is right or a neighbour of the right one.", numeric=True),
    Heading("MAE years", "Mean absolute error of the predicted age.", numeric=True),
    Heading("ECE %", "Expected calibration error of the age groups.", numeric=True),
    Heading("Params M", "Millions of parameters of the network that was trained.", numeric=True),
    Heading("Train min", "Minutes of training, without loading the data.", numeric=True),
    Heading("Img/s", "Training images per second.", numeric=True),
    Heading("Status", "Why a run is not complete."),
)

# label, seeds, age, its mark, paper, gender, its mark, balanced, one-off, years, ECE, parameters, minutes, images/s
ROWS = (
    ("alexnet / plain", 5, 57.91, "", 55.96, 87.66, "", 49.13, 89.2, 7.86, 8.1, 57.04, 12.4, 1842),
    ("alexnet / weighted", 5, 50.30, "worst", None, 86.90, "worst", 50.02, 87.9, 8.61, 10.7, 57.04, 12.5, 1838),
    ("vgg11 / plain", 5, 60.12, "", 57.06, 89.20, "", 51.77, 90.6, 7.33, 6.9, 128.81, 44.2, 517),
    ("resnet18 / plain", 5, 62.05, "tied", 58.60, 90.31, "best", 53.40, 91.8, 6.98, 5.2, 11.18, 21.7, 1050),
    ("densenet161 / plain", 3, 61.88, "tied", 59.22, 90.12, "tied", 53.91, 91.7, 7.01, 4.8, 26.5, 131.0, 174),
    ("small_cnn / plain", 5, 62.16, "best", 61.34, 90.30, "tied", 53.08, 91.9, 7.12, 6.0, 11.52, 9.1, 2507),
    ("small_cnn / weighted", 5, 55.87, "", 52.85, 89.71, "", 54.66, 90.8, 7.70, 9.3, 11.52, 9.1, 2511),
    ("small_cnn_pooled / plain", 5, 61.40, "", 61.34, 90.05, "tied", 52.71, 91.4, 7.18, 5.9, 9.95, 15.3, 1490),
)


def realistic() -> Document:
    return Document(
        title="table2",
        verdict=(
            "No configuration is significantly better than small_cnn / plain in age accuracy; resnet18 and densenet161 "
            "are not significantly worse (McNemar, Holm, 5 %). The paper's claim that it beats them is not confirmed."
        ),
        warnings=(
            "Warning: these rows come from 2 different numbers of epochs; they are not comparable.",
            "densenet161 / plain has 3 seeds where the others have 5.",
        ),
        table=comparison(),
        sections=(_tests(), _figures(), _fairness(), _appendix()),
    )


def comparison() -> Grid:
    rows = []
    for label, seeds, age, age_mark, paper, gender, gender_mark, *others in ROWS:
        rows.append(
            (
                Cell(label, sort=label),
                Cell(f"{seeds}/5", sort=float(seeds)),
                Cell(f"{age:.2f}", sort=age, mark=age_mark, note=f"{age - 1.4:.1f} to {age + 1.4:.1f}"),
                Cell(f"{paper:.2f}", sort=paper) if paper else Cell("-"),
                Cell(f"{gender:.2f}", sort=gender, mark=gender_mark, note=f"{gender - 0.9:.1f} to {gender + 0.9:.1f}"),
                *(Cell(f"{value:,}", sort=float(value)) for value in others),
                Cell("complete"),
            )
        )
    error = "failed: OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB; /var/lib/" + "x" * 60
    unfinished = (
        Cell("vgg11 / weighted", sort="vgg11 / weighted"),
        Cell("0/5", sort=0.0),
        *[Cell("-")] * 10,
        Cell(error),
    )
    notes = (
        "Data: UTKFace.tar: 23,707 files, 614 left out, 15,703 / 2,771 / 4,619 for training, validation and testing.",
        "Training: 256 x 256 pixels, 30 epochs, batch 32, Adam 0.0001; tested at the best epoch by val/mean_accuracy.",
        "Hardware: A GPU, bf16-mixed, torch 2.14.1.",
        "Always saying the most frequent class gives age 31.07 %, gender 52.45 %.",
    )
    caption = "All configurations on the same 4,619 test images, means over seeds."
    return Grid(caption, HEADINGS, (*rows, unfinished), notes)


def _tests() -> Section:
    labels = [row[0] for row in ROWS]
    headings = (Heading("Pair"), Heading("Difference", numeric=True), Heading("p", "Adjusted by Holm.", numeric=True))
    rows = tuple(
        (
            Cell(f"{one} - {other}", sort=f"{one} - {other}"),
            Cell("+0.11", sort=0.11, note="-0.9 to 1.1"),
            Cell("0.84", 0.84),
        )
        for one, other in pairwise(labels)
    )
    text = "Each pair is compared image by image under the same seed; the p-values of all pairs are adjusted."
    return Section("tests", "What is significant", (text,), (Grid("Differences of age accuracy.", headings, rows),))


def _figures() -> Section:
    text = "Bars are 95 % intervals of the test images; points are single seeds."
    figures = (
        Figure("age", "Age accuracy of each configuration", "Bars from 50 to 62 %.", png(1280, 720), svg(), 640),
        Figure("confusion", "Age groups taken for each other", "A matrix of 8 x 8.", png(800, 800), None, 400),
        Figure("cost", "Accuracy against training time", "Eight points.", png(800, 450), svg(), 400),
    )
    return Section("figures", "Accuracy and cost", (text,), figures)


def _fairness() -> Section:
    faces = Figure("faces", "The most certain mistakes", "Twelve faces.", png(1200, 400), None, 600, local=True)
    headings = (
        Heading("Slice"),
        Heading("Images", numeric=True),
        Heading("Age %", "Share that is right.", numeric=True),
    )
    rows = (
        (Cell("female, Black, 54+"), Cell("31", 31.0), Cell("38.7", 38.7, "worst", "23.7 to 56.2")),
        (Cell("male, White, 21-32"), Cell("402", 402.0), Cell("71.9", 71.9, "best", "67.3 to 76.1")),
        (Cell("male, Indian, 0-2"), Cell("0", 0.0), Cell("-")),
    )
    return Section("fairness", "Who is served worst", (), (Grid("Slices of the test images.", headings, rows), faces))


def _appendix() -> Section:
    headings = (Heading("Run"), Heading("Seed", numeric=True), Heading("Age %", numeric=True))
    rows = tuple(
        (Cell(f"small_cnn/plain/{n}"), Cell(str(n), float(n)), Cell(f"{60 + n / 10}", 60 + n / 10)) for n in range(40)
    )
    return Section("appendix", "Every run", ("One row per run.",), (Grid("All runs.", headings, rows),), folded=True)


def hostile() -> Document:
    """Make a document whose texts all contain HTML, a template's braces, quotes and ends of elements."""
    headings = (Heading(HOSTILE, HOSTILE), Heading("Age %", HOSTILE, numeric=True))
    grid = Grid(HOSTILE, headings, ((Cell(HOSTILE, HOSTILE, "best", HOSTILE), Cell(HOSTILE, 1.0)),), (HOSTILE,))
    faces = Figure("faces", HOSTILE, HOSTILE, png(80, 40), None, 40)
    section = Section("section", HOSTILE, (HOSTILE,), (grid, faces))
    return Document(HOSTILE, HOSTILE, (HOSTILE,), grid, (section, replace(section, key="folded", folded=True)))


def png(width: int, height: int) -> bytes:
    """Make a PNG file of a gradient with this size in pixels."""
    ramp = np.linspace(40, 230, width, dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(np.tile(ramp, (height, 1))).save(file, "PNG")
    return file.getvalue()


def svg() -> str:
    """Make an SVG file of 640 x 360 with bars that are green by its own style sheet."""
    bars = "".join(
        f'<rect class="bar" x="{40 + 72 * n}" y="{330 - 28 * n}" width="50" height="{28 * n}"/>'
        f'<text x="{48 + 72 * n}" y="350">run {n}</text>'
        for n in range(1, 8)
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?><svg xmlns="http://www.w3.org/2000/svg" width="640" height="360" '
        'viewBox="0 0 640 360"><defs><style>*{fill:#1b9e4b}text{fill:#222;font:13px sans-serif}</style></defs>'
        f'{bars}<rect x="0" y="0" width="12" height="12" style="fill:#1b9e4b"/></svg>'
    )
