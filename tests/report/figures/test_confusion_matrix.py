"""Confusion matrix."""

import numpy as np
from figure_examples import texts

from agegender.report.figures.confusion_matrix import confusion_matrix


def test_a_confusion_matrix_shows_percent_of_the_true_class_and_counts():
    figure = confusion_matrix(np.array([[1_500, 500], [0, 0]]), ["old", "new"], "c", "Errors")
    assert ["75.0", "1,500", "25.0", "500", "-", "0", "-", "0"] == [
        text for text in texts(figure) if text not in ("old", "new", "true", "predicted")
    ]
    assert "old: 75.0 % of 2,000; new: 0.0 % of 0" in figure.alt
