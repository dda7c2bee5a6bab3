"""Scores of a part of the data: two confusion matrices and an age error."""

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor

from agegender.labels import GENDERS, NUM_GROUPS
from agegender.records import scores as formulas


def scores(
    *,
    age: tuple[Tensor, Tensor],
    gender: tuple[Tensor, Tensor],
    years: tuple[Tensor, Tensor],
    span: Tensor | None = None,
    num_groups: int = NUM_GROUPS,
) -> dict[str, Any]:
    """Score the predictions for a part of the data; an image whose label is unknown, -1, does not count for that task.

    Args:
        age: predicted and true groups, int64 (N,) each, on the CPU.
        gender: predicted and true genders, int64 (N,) each, on the CPU.
        years: predicted and true ages in years, (N,) each, on the CPU.
        span: youngest and oldest possible age, int64 (N, 2), on the CPU; None: all ages are exact.
        num_groups: G.

    Returns:
        Shares in [0, 1], the mean absolute error in years, and the confusion matrices, true classes in rows, as lists
        of counts: `age_accuracy`, `gender_accuracy`, their mean `mean_accuracy`,
        `age_one_off_accuracy` (the true group or one next to it),
        `age_balanced_accuracy` (mean recall of the groups that occur), `age_macro_f1` (mean F1 of the groups that occur
        or are predicted), `age_mae_years`, `age_confusion`, `gender_confusion`. With `span` also `age_in_range`, the
        share of predicted ages, in completed years, within the possible ones. None where no image has the label; the
        mean accuracy is of the tasks that have one.
    """
    groups = _confusion(*age, num_classes=num_groups)
    genders = _confusion(*gender, num_classes=len(GENDERS))
    age_accuracy = _of(groups, formulas.accuracy)
    gender_accuracy = _of(genders, formulas.accuracy)
    found = {
        "age_accuracy": age_accuracy,
        "gender_accuracy": gender_accuracy,
        "mean_accuracy": _mean(age_accuracy, gender_accuracy),
        "age_one_off_accuracy": _of(groups, formulas.one_off_accuracy),
        "age_balanced_accuracy": _of(groups, formulas.balanced_accuracy),
        "age_macro_f1": _of(groups, formulas.macro_f1),
        "age_mae_years": _error(*years),
        "age_confusion": None if groups is None else groups.tolist(),
        "gender_confusion": None if genders is None else genders.tolist(),
    }
    return found if span is None else found | {"age_in_range": _share_in_range(years[0], span)}


def _confusion(predicted: Tensor, true: Tensor, *, num_classes: int) -> np.ndarray | None:
    known = true >= 0
    if not known.any():
        return None
    return formulas.confusion(true[known].numpy(), predicted=predicted[known].numpy(), num_classes=num_classes)


def _of(matrix: np.ndarray | None, formula: Callable[[np.ndarray], np.ndarray]) -> float | None:
    return None if matrix is None else float(formula(matrix))


def _mean(age_accuracy: float | None, gender_accuracy: float | None) -> float | None:
    if age_accuracy is None or gender_accuracy is None:
        return gender_accuracy if age_accuracy is None else age_accuracy
    return (age_accuracy + gender_accuracy) / 2


def _error(predicted: Tensor, true: Tensor) -> float | None:
    known = true >= 0
    if not known.any():
        return None
    return float(
        formulas.absolute_error(true[known].double().numpy(), predicted=predicted[known].double().numpy()).mean()
    )


def _share_in_range(years: Tensor, span: Tensor) -> float | None:
    known = span[:, 0] >= 0
    if not known.any():
        return None
    completed = years[known].floor()
    first, last = span[known].unbind(dim=1)
    return float(((first <= completed) & (completed <= last)).double().mean())


def scalars(values: dict[str, Any]) -> dict[str, float]:
    """Return the scores that are single numbers, without the matrices: what a logger accepts."""
    return {key: value for key, value in values.items() if isinstance(value, float)}
