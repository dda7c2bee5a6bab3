"""How figures are drawn: text, looks, settings of matplotlib."""

import subprocess
import sys

import pytest
from figure_examples import two_intervals

from agegender.report.figures.style import line_styles, one_line, text_width, truncate, wrap


def test_importing_the_figures_does_not_import_matplotlib():
    code = (
        "import importlib, pkgutil, sys\n"
        "from agegender.report import figures, sections\n"
        "for package in (figures, sections):\n"
        "    for module in pkgutil.walk_packages(package.__path__, f'{package.__name__}.'):\n"
        "        importlib.import_module(module.name)\n"
        "assert not {'matplotlib', 'torch', 'hydra'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_drawing_leaves_the_settings_of_matplotlib_alone():
    import matplotlib

    before = dict(matplotlib.rcParams)
    with matplotlib.rc_context({"text.color": "red"}):
        red = two_intervals("label")
        assert matplotlib.rcParams["text.color"] == "red"
    assert dict(matplotlib.rcParams) == before
    assert red == two_intervals("label")


def test_a_figure_holds_no_date_and_no_version():
    svg = two_intervals("label").svg or ""
    assert svg.startswith("<svg")
    assert "dc:date" not in svg and "Matplotlib" not in svg


def test_text_is_put_on_one_line_and_cut_to_its_width():
    assert one_line("a\n b\t\x1bc") == "a b ?c"
    assert truncate("abcd", 100) == "abcd"
    assert truncate("abcdefghij" * 9, 100).startswith("abcdefghij") and truncate("abcdefghij" * 9, 100).endswith("…")


def test_text_is_broken_between_words_and_within_those_that_are_too_long():
    assert wrap("small_cnn / plain", text_width("small_cnn")) == ["small_cnn", "/ plain"]
    assert wrap("a mmmmm b", text_width("mmm")) == ["a", "mmm", "mm b"]
    assert wrap("", 10) == [""]


def test_the_width_of_text_is_that_of_the_font():
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    for text in ("small_cnn_pooled / weighted", "predicted 21-32, 95.0 %", "AdaptiveAvgPool2d, 13 x BatchNorm2d"):
        extent = TextPath((0, 0), text, size=9.5 * 96 / 72, prop=FontProperties(family="DejaVu Sans")).get_extents()
        assert text_width(text) == pytest.approx(extent.width, rel=0.07)


def test_looks_are_distinct_for_more_names_than_there_are_colours():
    found = line_styles(f"model {number}" for number in range(42))
    assert len({(look.colour, look.marker) for look in found.values()}) == 42
