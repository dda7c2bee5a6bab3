"""Critical difference diagram."""

import numpy as np
from figure_examples import ranks, texts

from agegender.report.figures.critical_difference import connected_ranks, critical_difference_diagram


def test_a_bar_joins_the_largest_groups_within_the_critical_difference():
    assert connected_ranks(np.array([3.0, 1.0, 1.5, 2.4, 5.0]), 1.2) == [(1.0, 1.5), (1.5, 2.4), (2.4, 3.0)]
    assert connected_ranks(np.array([1.0, 2.0]), 1.0) == []  # a difference as large as the critical one is significant
    assert connected_ranks(np.array([2.0, 2.0, 2.0]), 1.2) == [(2.0, 2.0)]


def test_ranks_are_told_from_the_best():
    figure = critical_difference_diagram(["b", "a", "c"], ranks(2.0, 1.0, 3.0), "d", "Ranks")
    assert "a: 1.00; b: 2.00; c: 3.00" in figure.alt
    assert "critical difference 1.20" in texts(figure)
    assert "Friedman's test: p = 0.012, 5 seeds or folds" in texts(figure)
