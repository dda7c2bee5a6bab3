"""What every figure of the report must do, one row for each."""

import io
from collections.abc import Callable
from xml.etree import ElementTree

import numpy as np
import pytest
from figure_examples import NASTY, SECOND, bias, check, errors, ranks, texts, two_intervals
from PIL import Image

from agegender.report.figures.age_distribution import age_distribution
from agegender.report.figures.confusion_matrix import confusion_matrix
from agegender.report.figures.critical_difference import critical_difference_diagram
from agegender.report.figures.efficiency import EfficiencyPoint, efficiency_plot
from agegender.report.figures.interval_plot import interval_plot
from agegender.report.figures.network import Layer, network_diagram
from agegender.report.figures.reliability_diagram import reliability_diagram
from agegender.report.figures.training_curves import training_curves
from agegender.report.page.document import Figure
from agegender.report.sections.fairness.age_error_figure import errors_by_age
from agegender.report.sections.under_age.threshold_figure import threshold_tradeoff
from agegender.report.statistics.age_limits import AgeLimits

FIGURES: dict[str, Callable[[str], Figure]] = {
    "ages": lambda label: age_distribution([3, 0, 7, 1], [0, 2], [label, "2+"], "Ages"),
    "confusion": lambda label: confusion_matrix(np.array([[3, 1], [0, 0]]), [label, "b"], "c", "Errors"),
    "reliability": lambda label: reliability_diagram([(label, np.array([0.9]), np.array([True]))], "r", "Reliability"),
    "training": lambda label: training_curves([(label, np.arange(3), np.array([1, np.nan, 2]))], "loss", "t", "Runs"),
    "threshold": lambda label: threshold_tradeoff([check(label), check(SECOND)], AgeLimits(), "u", "Minors"),
    "efficiency": lambda label: efficiency_plot(
        [EfficiencyPoint("p", label, 1.0, 50.0), EfficiencyPoint("q", "m", 90.0, 60.0)], "cost", "e", "Cost", log_x=True
    ),
    "intervals": two_intervals,
    "bias by age": lambda label: bias(label, errors(20, 30, 40)),
    "ranks": lambda label: critical_difference_diagram(["a", label, SECOND], ranks(1.0, 2.0, 3.0), "d", "Ranks"),
    "network": lambda label: network_diagram([Layer("n", label, (8, 4, 4), 10, 20)], "n", "Network"),
}  # fmt: skip


EMPTY: dict[str, Callable[[], Figure]] = {
    "ages": lambda: age_distribution([], [], [], "Ages"),
    "ages without an image": lambda: age_distribution([0, 0], [0], ["0+"], "Ages"),
    "confusion": lambda: confusion_matrix(np.zeros((2, 2), dtype=np.int64), ["a", "b"], "c", "Errors"),
    "reliability": lambda: reliability_diagram([], "r", "Reliability"),
    "reliability without an image": lambda: reliability_diagram([("a", np.zeros(0), np.zeros(0, bool))], "r", "R"),
    "training": lambda: training_curves([], "loss", "t", "Runs"),
    "training of one epoch": lambda: training_curves([("a", [0], [1.0])], "loss", "t", "Runs"),
    "threshold": lambda: threshold_tradeoff([], AgeLimits(), "u", "Minors"),
    "efficiency": lambda: efficiency_plot([], "cost", "e", "Cost", log_x=True),
    "efficiency of one": lambda: efficiency_plot(
        [EfficiencyPoint("p", "m", 0.0, 5.0)], "cost", "e", "Cost", log_x=True
    ),
    "intervals": lambda: interval_plot([], "i", "Intervals", "accuracy, %"),
    "bias of one age": lambda: bias("a", errors(20)),
    "error by age": lambda: errors_by_age([], lambda error: error.absolute, "error, years", "a", "Error"),
    "ranks of one": lambda: critical_difference_diagram(["a"], ranks(1.0), "d", "Ranks"),
    "network": lambda: network_diagram([], "n", "Network"),
    "network of one value": lambda: network_diagram([Layer("n", "Linear", (1,), 2, 1)], "n", "Network"),
}


@pytest.mark.parametrize("kind", FIGURES)
def test_a_figure_is_twice_as_wide_as_it_is_shown_and_narrow_enough_for_a_phone(kind):
    figure = FIGURES[kind]("label")
    with Image.open(io.BytesIO(figure.png)) as picture:
        assert picture.width == 2 * figure.width
        assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    assert figure.width <= 400
    assert not figure.local


@pytest.mark.parametrize("kind", FIGURES)
def test_a_figure_drawn_twice_has_the_same_bytes(kind):
    assert FIGURES[kind]("label") == FIGURES[kind]("label")


@pytest.mark.parametrize("kind", FIGURES)
def test_a_label_is_shown_as_it_is_whatever_it_looks_like(kind):
    figure = FIGURES[kind](NASTY)
    words = " ".join(texts(figure))
    assert all(part in words for part in NASTY.split())
    assert "Ranks" not in words  # the title stands above the figure, not in it


@pytest.mark.parametrize("kind", FIGURES)
def test_characters_that_no_font_or_xml_can_hold_do_not_stop_a_figure(kind):
    assert ElementTree.fromstring(FIGURES[kind]("_a\x00\udc80\n猫").svg or "") is not None


@pytest.mark.parametrize("kind", EMPTY)
def test_a_figure_of_nothing_or_of_one_is_drawn(kind):
    assert EMPTY[kind]().alt


@pytest.mark.parametrize("kind", FIGURES)
def test_nothing_is_written_beyond_the_edge(kind):
    """A strip of two pixels all around stays white: nothing is cut off there."""
    with Image.open(io.BytesIO(FIGURES[kind]("resnet18 / plain").png)) as picture:
        pixels = np.asarray(picture.convert("L"))
    assert min(edge.min() for edge in (pixels[:2], pixels[-2:], pixels[:, :2], pixels[:, -2:])) == 255


def test_a_label_starting_with_an_underscore_stands_in_the_legend():
    assert "_a" in texts(FIGURES["training"]("_a"))
