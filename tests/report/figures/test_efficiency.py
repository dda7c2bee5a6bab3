"""Accuracy against cost, and its Pareto front."""

from figure_examples import texts

from agegender.report.figures.efficiency import EfficiencyPoint, efficiency_plot, pareto


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
    figure = efficiency_plot([*crowd, EfficiencyPoint("alone", "m", 2.0, 90.0)], "cost", "e", "Cost", log_x=False)
    shown = [text for text in texts(figure) if text.startswith(("configuration", "alone"))]
    assert "alone" in shown
    assert len(shown) == len(set(shown)) < 31
