"""Values with their intervals."""

from figure_examples import texts, two_intervals

from agegender.report.figures.interval_plot import interval_plot


def test_an_interval_is_written_beside_its_label():
    shown = texts(two_intervals("label"))
    assert {"label", "60.0 [58.0, 62.0]", "50.0", "highest"} <= set(shown)


def test_without_marks_no_legend_explains_them():
    figure = interval_plot([("a", 1.0, 0.0, 2.0, "")], "i", "Intervals", "accuracy, %")
    assert "others" not in texts(figure)
