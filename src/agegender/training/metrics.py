"""Scores of a part of the data: two confusion matrices and an age error."""

from typing import Any

import numpy as np
from torch import Tensor

from agegender.labels import GENDERS, NUM_GROUPS
from agegender.records import scores as formulas


def scores(
    *, age: tuple[Tensor, Tensor], gender: tuple[Tensor, Tensor], years: tuple[Tensor, Tensor]
) -> dict[str, Any]:
    """Score the predictions for a part of the data.

    Args:
        age: predicted and true groups, int64 (N,) each, on the CPU.
        gender: predicted and true genders, int64 (N,) each, on the CPU.
        years: predicted and true ages in years, (N,) each, on the CPU.

    Returns:
        Shares in [0, 1], the mean absolute error in years, and the confusion matrices, true classes in rows, as lists
        of counts: `age_accuracy`, `gender_accuracy`, their mean `mean_accuracy`,
        `age_one_off_accuracy` (the true group or one next to it),
        `age_balanced_accuracy` (mean recall of the groups that occur), `age_macro_f1` (mean F1 of the groups that occur
        or are predicted), `age_mae_years`, `age_confusion`, `gender_confusion`.
    """
    predicted_years, true_years = years
    groups = _confusion(*age, num_classes=NUM_GROUPS)
    genders = _confusion(*gender, num_classes=len(GENDERS))
    age_accuracy = float(formulas.accuracy(groups))
    gender_accuracy = float(formulas.accuracy(genders))
    error = formulas.absolute_error(true_years.double().numpy(), predicted=predicted_years.double().numpy())
    return {
        "age_accuracy": age_accuracy,
        "gender_accuracy": gender_accuracy,
        "mean_accuracy": (age_accuracy + gender_accuracy) / 2,
        "age_one_off_accuracy": float(formulas.one_off_accuracy(groups)),
        "age_balanced_accuracy": float(formulas.balanced_accuracy(groups)),
        "age_macro_f1": float(formulas.macro_f1(groups)),
        "age_mae_years": float(error.mean()),
        "age_confusion": groups.tolist(),
        "gender_confusion": genders.tolist(),
    }


def _confusion(predicted: Tensor, true: Tensor, *, num_classes: int) -> np.ndarray:
    return formulas.confusion(true.numpy(), predicted=predicted.numpy(), num_classes=num_classes)


def scalars(values: dict[str, Any]) -> dict[str, float]:
    """Return the scores that are single numbers, without the matrices: what a logger accepts."""
    return {key: value for key, value in values.items() if isinstance(value, float)}
