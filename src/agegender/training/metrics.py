"""Scores of a part of the data: two confusion matrices and an age error."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics.functional import mean_absolute_error

from agegender.labels import GENDERS, NUM_GROUPS


def scores(
    *, age: tuple[Tensor, Tensor], gender: tuple[Tensor, Tensor], years: tuple[Tensor, Tensor]
) -> dict[str, Any]:
    """Score the predictions for a part of the data.

    Args:
        age: predicted and true groups, int64 (N,) each.
        gender: predicted and true genders, int64 (N,) each.
        years: predicted and true ages in years, (N,) each.

    Returns:
        Shares in [0, 1], the mean absolute error in years, and the confusion matrices, true classes in rows, as lists
        of counts: `age_accuracy`, `gender_accuracy`, their mean `mean_accuracy`,
        `age_one_off_accuracy` (the true group or one next to it),
        `age_balanced_accuracy` (mean recall of the groups that occur), `age_macro_f1` (mean F1 of the groups that occur
        or are predicted), `age_mae_years`, `age_confusion`, `gender_confusion`.
    """
    groups = _confusion(*age, NUM_GROUPS)
    genders = _confusion(*gender, len(GENDERS))
    hits, true, predicted = groups.diagonal(), groups.sum(dim=1), groups.sum(dim=0)
    recall, f1 = hits[true > 0] / true[true > 0], 2 * hits / (true + predicted)
    index = torch.arange(NUM_GROUPS)
    near = (index[:, None] - index[None, :]).abs() <= 1
    age_accuracy, gender_accuracy = float(hits.sum() / groups.sum()), float(genders.diagonal().sum() / genders.sum())
    return {
        "age_accuracy": age_accuracy,
        "gender_accuracy": gender_accuracy,
        "mean_accuracy": (age_accuracy + gender_accuracy) / 2,
        "age_one_off_accuracy": float(groups[near].sum() / groups.sum()),
        "age_balanced_accuracy": float(recall.mean()),
        "age_macro_f1": float(f1[true + predicted > 0].mean()),
        "age_mae_years": float(mean_absolute_error(*years)),
        "age_confusion": groups.long().tolist(),
        "gender_confusion": genders.long().tolist(),
    }


def _confusion(predicted: Tensor, true: Tensor, num_classes: int) -> Tensor:
    """Count pairs of (true, predicted) classes, float64.

    Not by torchmetrics, which compares each image with each cell if deterministic algorithms are on.
    """
    cells = torch.bincount(true * num_classes + predicted, minlength=num_classes**2)
    return cells.view(num_classes, num_classes).double()


def scalars(values: dict[str, Any]) -> dict[str, float]:
    """Return the scores that are single numbers, without the matrices: what a logger accepts."""
    return {key: value for key, value in values.items() if isinstance(value, float)}
