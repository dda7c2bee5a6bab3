import io
import subprocess
import sys
from collections.abc import Callable
from xml.etree import ElementTree

import numpy as np
import pytest
from made_runs import make_predictions
from PIL import Image

from agegender.report.figures.critical_difference import critical_difference, intervals, joined
from agegender.report.figures.efficiency import EfficiencyPoint, efficiency, pareto
from agegender.report.figures.network import Layer, boxes, network_diagram
from agegender.report.figures.reliability_diagram import (
    age_distribution,
    calibration,
    confusion_matrix,
    medians,
    reliability_diagram,
    training_curves,
)
from agegender.report.figures.style import fit, looks, plain, text_width, wrap
from agegender.report.page.document import Figure
from agegender.report.sections.fairness.age_error_figure import errors_by_age
from agegender.report.sections.fairness.age_errors import AgeError, age_errors
from agegender.report.sections.under_age.age_check import AgeCheck, ThresholdCurve, WrongSide
from agegender.report.sections.under_age.threshold_figure import threshold_tradeoff
from agegender.report.statistics.boundary_errors import AgeLimits
from agegender.report.statistics.crossed import crossed_mean
from agegender.report.statistics.significance import Ranks

NASTY = "$x_1$ <b>&amp; \\alpha"


def texts(figure: Figure) -> list[str]:
    assert figure.svg is not None
    return ["".join(element.itertext()) for element in ElementTree.fromstring(figure.svg).iter(f"{SVG}text")]


SVG = "{http://www.w3.org/2000/svg}"


def check(label: str) -> AgeCheck:
    asked = np.array([10.0, 18.0, 30.0, 40.0])
    curve = ThresholdCurve(asked, np.array([1.0, 0.25, 0.1, 0.0]), np.array([0.0, 0.125, 0.5, 1.0]))
    at_threshold, at_challenge, at_chosen = (
        WrongSide((age,), crossed_mean(passed), crossed_mean(passed), crossed_mean(refused))
        for age, passed, refused in ((18.0, hits(5, 20), hits(1, 8)), (25.0, hits(2, 20), hits(4, 8)), CHOSEN)
    )
    return AgeCheck(label, curve, at_threshold, at_challenge, at_chosen)


def hits(number: int, total: int) -> np.ndarray:
    return (np.arange(total) < number)[None]


CHOSEN = (31.5, hits(1, 20), hits(6, 8))


def conv(channels: int, side: int, number: int = 0) -> Layer:
    return Layer(f"features.{number}", "Conv2d", (channels, side, side), 1_000, 2_000_000)


def ranks(*mean_ranks: float) -> Ranks:
    return Ranks(np.array(mean_ranks), 0.0123, 1.2, 5)


def errors(*years: int) -> list[AgeError]:
    """Two faces of each age, taken for 20 and 30."""
    predicted = [20.0, 30.0] * len(years)
    made = make_predictions([4] * len(predicted), years=np.repeat(years, 2), years_predicted=predicted)
    return age_errors([made], least=2)


def bias(label: str, found: list[AgeError]) -> Figure:
    return errors_by_age([(label, found)], lambda error: error.bias, "predicted minus true, years", "b", "Bias")


SECOND = "a second label of some length"
FIGURES: dict[str, Callable[[str], Figure]] = {
    "ages": lambda label: age_distribution([3, 0, 7, 1], [0, 2], [label, "2+"], "Ages"),
    "confusion": lambda label: confusion_matrix(np.array([[3, 1], [0, 0]]), [label, "b"], "c", "Errors"),
    "reliability": lambda label: reliability_diagram([(label, np.array([0.9]), np.array([True]))], "r", "Reliability"),
    "training": lambda label: training_curves([(label, np.arange(3), np.array([1, np.nan, 2]))], "loss", "t", "Runs"),
    "threshold": lambda label: threshold_tradeoff([check(label), check(SECOND)], AgeLimits(), "u", "Minors"),
    "efficiency": lambda label: efficiency(
        [EfficiencyPoint("p", label, 1.0, 50.0), EfficiencyPoint("q", "m", 90.0, 60.0)], "cost", "e", "Cost", log_x=True
    ),
    "intervals": lambda label: intervals([(label, 60.0, 58.0, 62.0, "best"), (SECOND, 50.0, None, None, "")], "i",
                                         "Intervals", "accuracy, %"),
    "bias by age": lambda label: bias(label, errors(20, 30, 40)),
    "ranks": lambda label: critical_difference(["a", label, SECOND], ranks(1.0, 2.0, 3.0), "d", "Ranks"),
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
    "efficiency": lambda: efficiency([], "cost", "e", "Cost", log_x=True),
    "efficiency of one": lambda: efficiency([EfficiencyPoint("p", "m", 0.0, 5.0)], "cost", "e", "Cost", log_x=True),
    "intervals": lambda: intervals([], "i", "Intervals", "accuracy, %"),
    "bias of one age": lambda: bias("a", errors(20)),
    "error by age": lambda: errors_by_age([], lambda error: error.absolute, "error, years", "a", "Error"),
    "ranks of one": lambda: critical_difference(["a"], ranks(1.0), "d", "Ranks"),
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


def test_importing_the_figures_does_not_import_matplotlib():
    code = (
        "import sys; from agegender.report.figures import comparison, efficiency, faces, network, results\n"
        "from agegender.report.sections import fairness, under_age\n"
        "from agegender.report.sections.fairness import figures\n"
        "from agegender.report.sections.under_age import figures\n"
        "assert not {'matplotlib', 'torch', 'hydra'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_drawing_leaves_the_settings_of_matplotlib_alone():
    import matplotlib

    before = dict(matplotlib.rcParams)
    with matplotlib.rc_context({"text.color": "red"}):
        red = FIGURES["intervals"]("label")
        assert matplotlib.rcParams["text.color"] == "red"
    assert dict(matplotlib.rcParams) == before
    assert red == FIGURES["intervals"]("label")


def test_a_figure_holds_no_date_and_no_version():
    svg = FIGURES["intervals"]("label").svg or ""
    assert svg.startswith("<svg")
    assert "dc:date" not in svg and "Matplotlib" not in svg


def test_a_label_starting_with_an_underscore_stands_in_the_legend():
    assert "_a" in texts(FIGURES["training"]("_a"))


def test_text_is_put_on_one_line_and_cut_to_its_width():
    assert plain("a\n b\t\x1bc") == "a b ?c"
    assert fit("abcd", 100) == "abcd"
    assert fit("abcdefghij" * 9, 100).startswith("abcdefghij") and fit("abcdefghij" * 9, 100).endswith("…")


def test_text_is_broken_between_words_and_within_those_that_are_too_long():
    assert wrap("small_cnn / plain", text_width("small_cnn")) == ["small_cnn", "/ plain"]
    assert wrap("a mmmmm b", text_width("mmm")) == ["a", "mmm", "mm b"]
    assert wrap("", 10) == [""]


def test_the_width_of_text_is_that_of_the_font():
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    for text in ("small_cnn_pooled / weighted", "said 21-32, 95.0 %", "AdaptiveAvgPool2d, 13 x BatchNorm2d"):
        extent = TextPath((0, 0), text, size=9.5 * 96 / 72, prop=FontProperties(family="DejaVu Sans")).get_extents()
        assert text_width(text) == pytest.approx(extent.width, rel=0.07)


def test_looks_are_distinct_for_more_names_than_there_are_colours():
    found = looks(f"model {number}" for number in range(42))
    assert len({(look.colour, look.marker) for look in found.values()}) == 42


def test_ages_are_counted_by_group_in_the_alternative_text():
    figure = age_distribution([3, 0, 7, 1], [0, 2], ["0-1", "2+"], "Ages")
    assert "11 images by year of age, most at 2 years" in figure.alt
    assert "0-1: 3; 2+: 8" in figure.alt
    assert {"0-1", "2+"} <= set(texts(figure))


def test_a_confusion_matrix_shows_percent_of_the_true_class_and_counts():
    figure = confusion_matrix(np.array([[1_500, 500], [0, 0]]), ["old", "new"], "c", "Errors")
    assert ["75.0", "1,500", "25.0", "500", "-", "0", "-", "0"] == [
        text for text in texts(figure) if text not in ("old", "new", "true", "predicted")
    ]
    assert "old: 75.0 % of 2,000; new: 0.0 % of 0" in figure.alt


def test_calibration_compares_confidence_with_hits_bin_by_bin():
    # Bins of width 1/15: 0.9 and 0.92 share (13/15, 14/15]; 1.0 is in the last.
    confidence, hit = np.array([0.9, 0.92, 1.0, 1.0]), np.array([True, False, True, True])
    means, accuracies, shares, error = calibration(confidence, hit)
    assert means == pytest.approx([0.91, 1.0])
    assert accuracies == pytest.approx([0.5, 1.0])
    assert shares == pytest.approx([0.5, 0.5])
    assert error == pytest.approx(0.5 * 0.41)


def test_the_calibration_error_stands_in_the_legend():
    figure = reliability_diagram([("m", np.array([0.9, 0.9]), np.array([True, False]))], "r", "Reliability")
    assert "m, ECE 40.0 %" in texts(figure)


def test_two_hundred_runs_of_five_models_have_five_lines_in_the_legend():
    epochs = np.arange(10)
    curves = [(f"model {number % 5}", epochs, np.full(10, float(number))) for number in range(200)]
    figure = training_curves(curves, "loss", "t", "Runs")
    assert [text for text in texts(figure) if text.startswith("model")] == [f"model {number}" for number in range(5)]
    assert "model 0: 40" in figure.alt


def test_the_median_of_runs_is_taken_epoch_by_epoch():
    first, second = (np.array([0, 1, 2]), np.array([1.0, 2.0, 9.0])), (np.array([0, 1]), np.array([3.0, 4.0]))
    epochs, values = medians([first, second])
    assert epochs.tolist() == [0, 1, 2]
    assert values.tolist() == [2.0, 3.0, 9.0]


def test_the_rates_at_every_marked_age_are_told():
    figure = threshold_tradeoff([check("m")], AgeLimits(), "u", "Minors")
    told = "m: 25.0 % and 12.5 % at 18.0 years, 10.0 % and 50.0 % at 25.0 years, 5.0 % and 75.0 % at 31.5 years"
    assert told in figure.alt
    marks = ["filled: 18 years asked for", "white: 25 years", "with a dot: chosen by validation for 5 %"]
    assert [text for text in texts(figure) if text in marks] == marks


def test_a_mark_that_no_curve_has_is_not_explained():
    plain_check = AgeCheck("m", check("m").curve, check("m").at_threshold)
    figure = threshold_tradeoff([plain_check], AgeLimits(), "u", "Minors")
    assert not any(text.startswith(("white", "with a dot")) for text in texts(figure))


def points(**values: tuple[float, float]) -> list[EfficiencyPoint]:
    return [EfficiencyPoint(label, "m", x, accuracy) for label, (x, accuracy) in values.items()]


def test_the_front_holds_whom_no_other_point_beats():
    assert pareto(points(big=(9, 70), wasteful=(8, 60), small=(1, 50), middle=(3, 60))) == ["small", "middle", "big"]


def test_of_equal_cost_the_more_accurate_is_on_the_front_and_of_equal_accuracy_the_cheaper():
    assert pareto(points(a=(1, 50), b=(1, 60), c=(2, 60))) == ["b"]


def test_equal_points_are_on_the_front_together():
    assert pareto(points(a=(1, 50), b=(1, 50), c=(2, 40))) == ["a", "b"]


def test_nobody_is_on_the_front_of_nothing():
    assert pareto([]) == []


def test_points_where_there_is_room_are_labelled_and_the_others_left_out():
    crowd = [EfficiencyPoint(f"configuration {number}", "m", 1.0, 50.0) for number in range(30)]
    figure = efficiency([*crowd, EfficiencyPoint("alone", "m", 2.0, 90.0)], "cost", "e", "Cost", log_x=False)
    shown = [text for text in texts(figure) if text.startswith(("configuration", "alone"))]
    assert "alone" in shown
    assert len(shown) == len(set(shown)) < 31


def test_an_interval_is_written_beside_its_label():
    shown = texts(FIGURES["intervals"]("label"))
    assert {"label", "60.0 [58.0, 62.0]", "50.0", "highest"} <= set(shown)


def test_without_marks_no_legend_explains_them():
    figure = intervals([("a", 1.0, 0.0, 2.0, "")], "i", "Intervals", "accuracy, %")
    assert "others" not in texts(figure)


def test_a_bar_joins_the_largest_groups_within_the_critical_difference():
    assert joined(np.array([3.0, 1.0, 1.5, 2.4, 5.0]), 1.2) == [(1.0, 1.5), (1.5, 2.4), (2.4, 3.0)]
    assert joined(np.array([1.0, 2.0]), 1.0) == []  # a difference as large as the critical one is significant
    assert joined(np.array([2.0, 2.0, 2.0]), 1.2) == [(2.0, 2.0)]


def test_ranks_are_told_from_the_best():
    figure = critical_difference(["b", "a", "c"], ranks(2.0, 1.0, 3.0), "d", "Ranks")
    assert "a: 1.00; b: 2.00; c: 3.00" in figure.alt
    assert "critical difference 1.20" in texts(figure)
    assert "Friedman's test: p = 0.012, 5 seeds or folds" in texts(figure)


def test_what_neither_learns_nor_pools_is_not_drawn():
    layers = [conv(8, 32), Layer("r", "ReLU", (8, 32, 32), 0, 0), Layer("p", "MaxPool2d", (8, 16, 16), 0, 0)]
    assert [(box.kinds, box.shape) for box in boxes(layers)] == [
        ("Conv2d", "8 x 32 x 32"),
        ("MaxPool2d", "8 x 16 x 16"),
    ]


def test_consecutive_layers_of_one_shape_are_one_box_where_there_are_more_than_sixteen():
    layers = [conv(8, 32)] * 10 + [conv(16, 16)] * 6
    assert len(boxes(layers)) == 16
    found = boxes([*layers, Layer("fc", "Linear", (10,), 5, 7)])
    assert [(box.kinds, box.shape) for box in found] == [
        ("10 x Conv2d", "8 x 32 x 32"),
        ("6 x Conv2d", "16 x 16 x 16"),
        ("Linear", "10"),
    ]
    assert (found[0].num_params, found[0].macs) == (10_000, 20_000_000)


def test_layers_that_alternate_in_channels_are_one_box_where_there_are_too_many():
    layers = [conv(channels, 7) for _ in range(20) for channels in (192, 48)]
    assert [(box.kinds, box.shape) for box in boxes(layers)] == [("40 x Conv2d", "48-192 x 7 x 7")]


def test_a_network_tells_its_shapes_and_costs():
    figure = network_diagram([conv(8, 32), Layer("fc", "Linear", (10,), 11_181_642, 999_999)], "n", "Network")
    assert {"Conv2d", "8 x 32 x 32", "1 k parameters, 2 M MACs", "11.2 M parameters, 1 M MACs"} <= set(texts(figure))
    assert "Conv2d to 8 x 32 x 32; Linear to 10" in figure.alt


def test_the_error_by_age_is_told_where_it_is_largest():
    assert "Farthest from 0: small_cnn: -35.0 at 60." in bias("small_cnn", errors(20, 30, 60)).alt


def test_many_errors_by_age_have_no_bands():
    def drawn(number: int) -> str:
        curves = [(f"model{n}", errors(20, 30)) for n in range(number)]
        svg = errors_by_age(curves, lambda error: error.bias, "years", "b", "Bias").svg
        assert svg is not None
        return svg

    assert drawn(3).count("PolyCollection") == 3
    assert drawn(4).count("PolyCollection") == 0
