"""Predicted ages of validation parts, on which thresholds are chosen; only the two columns of ages are read."""

import numpy as np
import pandas as pd

from agegender.records.record import VALIDATION_PREDICTIONS, predictions_file
from agegender.report.results import Run

_COLUMNS = ("years", "years_predicted")


def read_years(run: Run) -> tuple[np.ndarray, np.ndarray] | None:
    """Read the true and the predicted ages of a run's validation part, (V,) years each.

    Returns:
        None where the file is missing or broken: the run is of an earlier version, or has no validation part.
    """
    try:
        table = pd.read_csv(
            predictions_file(run.folder, VALIDATION_PREDICTIONS), usecols=list(_COLUMNS), dtype=np.float64
        )
    except (OSError, ValueError):
        return None
    if not np.isfinite(table.to_numpy()).all():
        return None
    years, years_predicted = (table[column].to_numpy() for column in _COLUMNS)
    return years, years_predicted
