"""Reliability diagram, its bins by hand."""

import numpy as np
import pytest
from figure_examples import texts

from agegender.report.figures.reliability_diagram import calibration_curve, reliability_diagram


def test_calibration_compares_confidence_with_hits_bin_by_bin():
    # Bins of width 1/15: 0.9 and 0.92 share (13/15, 14/15]; 1.0 is in the last.
    confidence = np.array([0.9, 0.92, 1.0, 1.0])
    hit = np.array([True, False, True, True])
    means, accuracies, shares, error = calibration_curve(confidence, hit)
    assert means == pytest.approx([0.91, 1.0])
    assert accuracies == pytest.approx([0.5, 1.0])
    assert shares == pytest.approx([0.5, 0.5])
    assert error == pytest.approx(0.5 * 0.41)


def test_the_calibration_error_stands_in_the_legend():
    figure = reliability_diagram([("m", np.array([0.9, 0.9]), np.array([True, False]))], "r", "Reliability")
    assert "m, ECE 40.0 %" in texts(figure)
