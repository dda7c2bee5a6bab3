"""Training curves of many runs."""

import numpy as np
from figure_examples import texts

from agegender.report.figures.training_curves import medians, training_curves


def test_two_hundred_runs_of_five_models_have_five_lines_in_the_legend():
    epochs = np.arange(10)
    curves = [(f"model {number % 5}", epochs, np.full(10, float(number))) for number in range(200)]
    figure = training_curves(curves, "loss", "t", "Runs")
    assert [text for text in texts(figure) if text.startswith("model")] == [f"model {number}" for number in range(5)]
    assert "model 0: 40" in figure.alt


def test_the_median_of_runs_is_taken_epoch_by_epoch():
    first = (np.array([0, 1, 2]), np.array([1.0, 2.0, 9.0]))
    second = (np.array([0, 1]), np.array([3.0, 4.0]))
    epochs, values = medians([first, second])
    assert epochs.tolist() == [0, 1, 2]
    assert values.tolist() == [2.0, 3.0, 9.0]
