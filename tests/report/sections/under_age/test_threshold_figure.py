"""Figure of an age check."""

from figure_examples import check, texts

from agegender.report.sections.under_age.age_check import AgeCheck
from agegender.report.sections.under_age.threshold_figure import threshold_tradeoff
from agegender.report.statistics.age_limits import AgeLimits


def test_the_rates_at_every_marked_age_are_told():
    figure = threshold_tradeoff([check("m")], AgeLimits(), "u", "Minors")
    told = "m: 25.0 % and 12.5 % at 18.0 years, 10.0 % and 50.0 % at 25.0 years, 5.0 % and 75.0 % at 31.5 years"
    assert told in figure.alt
    marks = ["filled: 18 years required", "white: 25 years", "with a dot: chosen on validation for 5 %"]
    assert [text for text in texts(figure) if text in marks] == marks


def test_a_mark_that_no_curve_has_is_not_explained():
    plain_check = AgeCheck("m", check("m").curve, check("m").at_threshold)
    figure = threshold_tradeoff([plain_check], AgeLimits(), "u", "Minors")
    assert not any(text.startswith(("white", "with a dot")) for text in texts(figure))
