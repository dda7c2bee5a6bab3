"""Scores of a part of the data: two confusion matrices and an age error."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics.functional import mean_absolute_error

from agegender.labels import GENDERS, NUM_GROUPS
from agegender.records import scores as formulas


def scores(
    *, age: tuple[Tensor, Tensor], gender: tuple[Tensor, Tensor], years: tuple[Tensor, Tensor]
) -> dict[str, Any]:
    """Score the predictions of a part.

    Args:
        age: predicted and true groups, int64 (N,) each, on the CPU.
        gender: predicted and true genders, int64 (N,) each, on the CPU.
        years: predicted and true ages in years, (N,) each.

    Returns:
        Shares in [0, 1], the mean absolute error in years, and the confusion matrices, true classes in rows, as lists
        of counts: `age_accuracy`, `gender_accuracy`, their mean `mean_accuracy`,
        `age_one_off_accuracy` (true group or a neighbour of it),
        `age_balanced_accuracy` (mean recall of the groups that occur), `age_macro_f1` (mean F1 of the groups that occur
        or are predicted), `age_mae_years`, `age_confusion`, `gender_confusion`.
    """
    groups = _confusion(*age, num_classes=NUM_GROUPS)
    genders = _confusion(*gender, num_classes=len(GENDERS))
    age_accuracy = float(formulas.accuracy(groups))
    gender_accuracy = float(formulas.accuracy(genders))
    # These three stay PyTorch's, which adds up in another order than NumPy, and the years in float32: a job that is
    # repeated has the scores of its record to the bit. A test holds them to `records.scores`.
    balanced_accuracy = _balanced_accuracy(groups)
    macro_f1 = _macro_f1(groups)
    mae_years = float(mean_absolute_error(*years))
    return {
        "age_accuracy": age_accuracy,
        "gender_accuracy": gender_accuracy,
        "mean_accuracy": (age_accuracy + gender_accuracy) / 2,
        "age_one_off_accuracy": float(formulas.one_off_accuracy(groups)),
        "age_balanced_accuracy": balanced_accuracy,
        "age_macro_f1": macro_f1,
        "age_mae_years": mae_years,
        "age_confusion": groups.tolist(),
        "gender_confusion": genders.tolist(),
    }


def _confusion(predicted: Tensor, true: Tensor, *, num_classes: int) -> np.ndarray:
    return formulas.confusion(true.numpy(), predicted=predicted.numpy(), num_classes=num_classes)


def _balanced_accuracy(confusion: np.ndarray) -> float:
    counts = torch.from_numpy(confusion).double()
    true = counts.sum(dim=1)
    recall = counts.diagonal()[true > 0] / true[true > 0]
    return float(recall.mean())


def _macro_f1(confusion: np.ndarray) -> float:
    counts = torch.from_numpy(confusion).double()
    either = counts.sum(dim=1) + counts.sum(dim=0)  # true and predicted images of each group
    f1 = 2 * counts.diagonal() / either
    return float(f1[either > 0].mean())


def scalars(values: dict[str, Any]) -> dict[str, float]:
    """Keep the numbers, without the matrices: what a logger takes."""
    return {key: value for key, value in values.items() if isinstance(value, float)}
