"""Predicted ages of validation parts, on which thresholds are chosen; only the two columns of ages are read."""

import numpy as np

from agegender.records import predictions
from agegender.records.predictions import DamagedPredictionsError
from agegender.records.record import VALIDATION_PREDICTIONS, predictions_file
from agegender.report.results import Run


def read_years(run: Run) -> tuple[np.ndarray, np.ndarray] | None:
    """Read the true and the predicted ages of a run's validation part, (V,) years each.

    Returns:
        None where the file is missing or broken: the run is of an earlier version, or has no validation part.
    """
    try:
        return predictions.read_years(predictions_file(run.folder, VALIDATION_PREDICTIONS))
    except (OSError, DamagedPredictionsError):
        return None
