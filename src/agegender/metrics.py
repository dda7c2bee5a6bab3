"""Scores of a part of the data: two confusion matrices and an age error, summed over batches."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import MeanAbsoluteError, MetricCollection
from torchmetrics.classification import MulticlassConfusionMatrix

from agegender.labels import GENDERS, NUM_GROUPS


def face_metrics() -> MetricCollection:
    """Collect what all scores follow from; update it with keyword arguments, see `update`.

    Nothing is gathered from other processes: each one of a distributed job evaluates all images.
    """
    return MetricCollection(
        {
            "age_confusion": MulticlassConfusionMatrix(NUM_GROUPS, sync_on_compute=False),
            "gender_confusion": MulticlassConfusionMatrix(len(GENDERS), sync_on_compute=False),
            "age_mae_years": MeanAbsoluteError(sync_on_compute=False),
        },
        compute_groups=False,
    )


def update(
    metrics: MetricCollection,
    *,
    age: tuple[Tensor, Tensor],
    gender: tuple[Tensor, Tensor],
    years: tuple[Tensor, Tensor],
) -> None:
    """Add a batch: (predicted, true) age groups, genders and ages in years, (B,) each."""
    metrics["age_confusion"].update(*age)
    metrics["gender_confusion"].update(*gender)
    metrics["age_mae_years"].update(*years)


def scores(values: dict[str, Tensor]) -> dict[str, Any]:
    """Derive the scores of a part.

    Args:
        values: as computed by `face_metrics`; confusion matrices have true classes in rows.

    Returns:
        Shares in [0, 1], the mean absolute error in years, and the confusion matrices as lists of counts:
        `age_accuracy`, `gender_accuracy`, their mean `mean_accuracy`,
        `age_one_off_accuracy` (true group or a neighbour of it),
        `age_balanced_accuracy` (mean recall of the groups that occur), `age_macro_f1` (mean F1 of the groups that occur
        or are predicted), `age_mae_years`, `age_confusion`, `gender_confusion`.
    """
    age, gender = values["age_confusion"].double().cpu(), values["gender_confusion"].double().cpu()
    hits, true, predicted = age.diagonal(), age.sum(dim=1), age.sum(dim=0)
    recall, f1 = hits[true > 0] / true[true > 0], 2 * hits / (true + predicted)
    index = torch.arange(len(age))
    near = (index[:, None] - index[None, :]).abs() <= 1
    age_accuracy, gender_accuracy = float(hits.sum() / age.sum()), float(gender.diagonal().sum() / gender.sum())
    return {
        "age_accuracy": age_accuracy,
        "gender_accuracy": gender_accuracy,
        "mean_accuracy": (age_accuracy + gender_accuracy) / 2,
        "age_one_off_accuracy": float(age[near].sum() / age.sum()),
        "age_balanced_accuracy": float(recall.mean()),
        "age_macro_f1": float(f1[true + predicted > 0].mean()),
        "age_mae_years": float(values["age_mae_years"]),
        "age_confusion": age.long().tolist(),
        "gender_confusion": gender.long().tolist(),
    }


def scalars(values: dict[str, Any]) -> dict[str, float]:
    """Keep the numbers, without the matrices: what a logger takes."""
    return {key: value for key, value in values.items() if isinstance(value, float)}
