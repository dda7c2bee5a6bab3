"""How every figure is drawn: on white, in colours for the colour-blind, legible on a phone, reproducible to the byte.

Lengths are CSS pixels, 96 to the inch; font sizes are points. matplotlib is imported when the first figure is drawn.
"""

import io
import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agegender.report.page.document import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas
    from matplotlib.lines import Line2D

WIDTH = 400  # a phone shows 390 of them, so that text of 9.5 points is still larger than 9
FONT = 9.5
SMALL = 8.0  # for what is not needed to understand the figure
LINE = 17  # from one line of text to the next
INK = "#1a1a1a"
GREY = "#6b6b6b"
LIGHT = "#dcdcdc"
# Okabe & Ito 2008, without the yellow, which is too light on white.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_MARKERS = ("o", "s", "^", "D", "v", "P")
_DASHES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (4, 1.5, 1, 1.5)))
_CSS_DPI = 96  # CSS pixels per inch
_POINTS = 72  # points per inch
# Width of a character by the font size; DejaVu Sans.
_WIDTH = 0.636
_WIDTHS = {
    **dict.fromkeys("ijl'|", 0.28),
    **dict.fromkeys(" .,:;/I", 0.33),
    **dict.fromkeys("-()[]ftr", 0.39),
    **dict.fromkeys("_cszJ", 0.53),
    **dict.fromkeys("wABCDEGHKNOPQRSUVXYZ+=<>", 0.79),
    **dict.fromkeys("mMW%@…", 0.99),
}
_STYLE: dict[str, Any] = {
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans", "Verdana"],
    "font.size": FONT,
    "axes.labelsize": FONT,
    "xtick.labelsize": FONT,
    "ytick.labelsize": FONT,
    "legend.fontsize": FONT,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": LIGHT,
    "grid.linewidth": 0.6,
    "savefig.facecolor": "white",
    "text.parse_math": False,  # a dollar sign in a label is shown as such
    "svg.fonttype": "none",  # keep text as text: searchable, and a smaller file
    "svg.hashsalt": "agegender",  # reproducible identifiers
}


@dataclass(frozen=True)
class LineStyle:
    """How one name is drawn throughout a figure.

    Attributes:
        colour: of the palette.
        marker, dash: as matplotlib names them; colour and marker together distinguish 42 names.
    """

    colour: str
    marker: str
    dash: Any


def line_styles(names: Iterable[str]) -> dict[str, LineStyle]:
    """Return the style of each name, in order of first appearance."""
    return {
        name: LineStyle(
            PALETTE[index % len(PALETTE)],
            _MARKERS[index % len(_MARKERS)],
            _DASHES[index // len(PALETTE) % len(_DASHES)],
        )
        for index, name in enumerate(dict.fromkeys(names))
    }


def one_line(text: str) -> str:
    """Put text on one line, and replace characters that a picture or XML cannot hold."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))


def text_width(text: str, points: float = FONT) -> float:
    """Estimate the width of a line of text, in pixels."""
    return sum(_WIDTHS.get(letter, _WIDTH) for letter in text) * points * _CSS_DPI / _POINTS


def truncate(text: str, width: float) -> str:
    """Put text on one line and cut it to a width."""
    text = one_line(text)
    if text_width(text) <= width:
        return text
    while text and text_width(text + "…") > width:
        text = text[:-1]
    return text + "…"


def wrap(text: str, width: float) -> list[str]:
    """Break text into lines of at most a width; a word longer than that is broken, too."""
    lines = [""]
    for word in one_line(text).split(" "):
        longer = f"{lines[-1]} {word}".lstrip()
        if text_width(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
        while text_width(lines[-1]) > width and len(lines[-1]) > 1:
            most = max(1, sum(text_width(lines[-1][:end]) <= width for end in range(1, len(lines[-1]))))
            lines[-1:] = [lines[-1][:most], lines[-1][most:]]
    return lines


def join_for_alt(parts: Sequence[str], most: int = 20) -> str:
    """Join parts for an alternative text, which a screen reader reads aloud: the first `most` of them."""
    more = f"; and {len(parts) - most} more" if len(parts) > most else ""
    return "; ".join(parts[:most]) + more


@contextmanager
def canvas(height: float, width: int = WIDTH) -> Iterator["Canvas"]:
    """Open an empty picture; its settings neither depend on matplotlib's current ones nor change them."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    defaults = {key: value for key, value in matplotlib.rcParamsDefault.items() if not key.startswith("backend")}
    settings: dict[Any, Any] = {**defaults, **_STYLE}
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*missing from font.*")  # a box is drawn instead
        figure = Canvas(figsize=(width / _CSS_DPI, height / _CSS_DPI), dpi=2 * _CSS_DPI)
        FigureCanvasAgg(figure)
        yield figure


def finish(figure: "Canvas", key: str, title: str, alt: str) -> Figure:
    """Render a picture as PNG and SVG; call it within its `canvas`."""
    png = io.BytesIO()
    svg = io.StringIO()
    figure.savefig(png, format="png", dpi=2 * _CSS_DPI, metadata={"Software": None})
    no_metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(svg, format="svg", metadata=no_metadata)
    text = svg.getvalue()
    width = round(figure.get_figwidth() * _CSS_DPI)
    return Figure(key, title, alt, png.getvalue(), text[text.index("<svg") :], width)


def plot_area(
    figure: "Canvas", x_title: str, y_title: str, *, top: float = 28, bottom: float = 0, left: float = 48
) -> "Axes":
    """Add axes; the title of the y axis stands above it, horizontally.

    Args:
        figure: that the axes are added to.
        x_title: of the x axis, one line.
        y_title: of the y axis, one line.
        top: pixels above the axes.
        bottom: pixels below the title of the x axis, for a legend.
        left: pixels for the labels of the y axis.
    """
    width, height = figure.get_size_inches() * _CSS_DPI
    bottom += 44  # tick labels and the axis title
    area = (left / width, bottom / height, (width - left - 18) / width, (height - top - bottom) / height)
    axes = figure.add_axes(area)
    axes.set_xlabel(one_line(x_title))
    figure.text(4 / width, 1 - 5 / height, one_line(y_title), va="top")
    return axes


def sketch_area(figure: "Canvas") -> "Axes":
    """Cover the picture with invisible axes in pixels from the top left corner."""
    width, height = figure.get_size_inches() * _CSS_DPI
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    return axes


def sample_line(style: LineStyle, *, marker: bool = True, line: bool = True) -> "Line2D":
    """Return a sample of a style for a legend."""
    from matplotlib.lines import Line2D

    shown = style.marker if marker else ""
    return Line2D([], [], color=style.colour, marker=shown, markersize=5.5, linestyle=style.dash if line else "")


def _legend_columns(labels: Sequence[str]) -> int:
    longest = max((text_width(one_line(label)) for label in labels), default=0)
    return max(1, int(WIDTH // (longest + 44)))  # a sample line, and the gap to the next column


def legend_height(labels: Sequence[str]) -> int:
    """Return how many pixels `legend` needs."""
    return math.ceil(len(labels) / _legend_columns(labels)) * LINE


@contextmanager
def plot_with_legend(
    height: float,
    x_title: str,
    y_title: str,
    entries: Mapping[str, LineStyle],
    *,
    marker: bool = True,
    line: bool = True,
) -> Iterator[tuple["Canvas", "Axes"]]:
    """Open a picture of one plot, with a legend below it.

    Args:
        height: pixels of the plot, without the legend.
        x_title: of the x axis.
        y_title: of the y axis.
        entries: of the legend: a label, and how it is drawn.
        marker: whether the legend shows markers.
        line: whether it shows lines.
    """
    labels = list(entries)
    with canvas(height + legend_height(labels)) as figure:
        axes = plot_area(figure, x_title, y_title, bottom=legend_height(labels))
        legend(figure, [sample_line(style, marker=marker, line=line) for style in entries.values()], labels)
        yield figure, axes


def legend(figure: "Canvas", samples: Sequence[Any], labels: Sequence[str]) -> None:
    """Add a legend at the bottom of a picture."""
    figure.legend(
        list(samples),
        [truncate(label, WIDTH - 40) for label in labels],
        loc="lower left",
        bbox_to_anchor=(0.0, 0.0),
        ncols=_legend_columns(labels),
        frameon=False,
        handlelength=1.7,
        handletextpad=0.5,
        labelspacing=0.34,
        columnspacing=1.0,
        borderaxespad=0.1,
        borderpad=0.2,
    )


def label_points(axes: "Axes", points: Sequence[tuple[str, float, float]]) -> None:
    """Write each label at the first of eight positions around its point where it covers nothing, or leave it out.

    Args:
        axes: whose limits and scales are final.
        points: label, x, y; earlier ones are placed first.
    """
    corners = axes.transAxes.transform([(0, 0), (1, 1)]) / 2  # the canvas has two pixels per CSS pixel
    places = [axes.transData.transform((x, y)) / 2 for _, x, y in points]
    taken = [(x - 5, y - 5, x + 5, y + 5) for x, y in places]
    background = {"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8}  # hides lines behind text
    for (label, *point), (x, y) in zip(points, places, strict=True):
        label = one_line(label)
        width = text_width(label)
        half = LINE / 2 - 2
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1)):
            start = x + (dx - 1) * width / 2 + 8 * dx
            up = (half + 6) * dy
            box = (start, y + up - half, start + width, y + up + half)
            if _inside(box, (*corners[0], *corners[1])) and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                offset = (8 * dx * _POINTS / _CSS_DPI, up * _POINTS / _CSS_DPI)
                side = {1: "left", -1: "right", 0: "center"}[dx]
                style: dict[str, Any] = {"ha": side, "va": "center", "bbox": background}
                axes.annotate(label, (point[0], point[1]), offset, textcoords="offset points", **style)
                break


def _inside(box: tuple[float, ...], area: tuple[float, ...]) -> bool:
    return area[0] <= box[0] and area[1] <= box[1] and box[2] <= area[2] and box[3] <= area[3]


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
