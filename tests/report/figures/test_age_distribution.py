"""Histogram of ages."""

from figure_examples import texts

from agegender.report.figures.age_distribution import age_distribution


def test_ages_are_counted_by_group_in_the_alternative_text():
    figure = age_distribution([3, 0, 7, 1], [0, 2], ["0-1", "2+"], "Ages")
    assert "11 images by year of age, most at 2 years" in figure.alt
    assert "0-1: 3; 2+: 8" in figure.alt
    assert {"0-1", "2+"} <= set(texts(figure))
