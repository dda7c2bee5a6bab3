"""Every score of a run, for the test images as they are and for images drawn anew: one formula for both.

A draw is a number of times that each image counts, (D, N) for D draws of N images; once each is the test itself.
"""

import math
from dataclasses import dataclass

import numpy as np

from agegender.labels import GENDERS
from agegender.report.runs import TASKS, Predictions

NUM_BINS = 15  # of the calibration error, of equal width; Guo et al. 2017
_BIN_ENDS = np.linspace(0, 1, NUM_BINS + 1, dtype=np.float32)[1:]  # as exact as the probabilities: 0.2 is no more
_WITHIN = 5  # years, of the cumulative score


@dataclass(frozen=True)
class Score:
    """How a score is shown.

    Attributes:
        title: for people.
        unit: "%" for shares, which are shown times 100, "years", or "".
        higher_is_better: whether more is better.
        has_interval: whether a bootstrap says how far chance moves it.
    """

    title: str
    unit: str
    higher_is_better: bool = True
    has_interval: bool = True


SCORES = {
    "age_accuracy": Score("Age accuracy", "%"),
    "gender_accuracy": Score("Gender accuracy", "%"),
    "age_one_off_accuracy": Score("Age, one-off accuracy", "%"),
    "age_balanced_accuracy": Score("Age, balanced accuracy", "%"),
    "age_macro_f1": Score("Age, macro-F1", "%"),
    "age_kappa": Score("Age, quadratic weighted kappa", ""),
    "age_mae_years": Score("Age, mean absolute error", "years", higher_is_better=False),
    "age_cs5": Score(f"Age, within {_WITHIN} years (CS@{_WITHIN})", "%"),
    "age_calibration_error": Score("Age, expected calibration error", "%", False, has_interval=False),
    "gender_calibration_error": Score("Gender, expected calibration error", "%", False, has_interval=False),
}


def draws(num_images: int, num_draws: int, seed: int = 0) -> np.ndarray:
    """Draw the images anew, with replacement: how often each counts, float32 (D, N)."""
    random = np.random.default_rng(seed)
    counts = np.empty((num_draws, num_images), dtype=np.float32)
    for draw in counts:
        draw[:] = np.bincount(random.integers(num_images, size=num_images), minlength=num_images)
    return counts


def scores(predictions: Predictions, counts: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Compute every score of `SCORES`.

    Args:
        predictions: of N images.
        counts: float32 (D, N) times that each image counts; None: once each.

    Returns:
        (D,) each, float64; a score without an image to say anything is 0, a kappa without variation NaN.
    """
    groups, genders, years, age_gaps, gender_gaps = _sums(predictions, counts)
    groups, genders = _square(groups), _square(genders)
    total = groups.sum(axis=(1, 2))
    mae, cs5 = years.T / total
    return {
        "age_accuracy": _trace(groups) / total,
        "gender_accuracy": _trace(genders) / total,
        "age_one_off_accuracy": sum(np.trace(groups, k, 1, 2) for k in (-1, 0, 1)) / total,
        **_class_means(groups),
        "age_kappa": kappa(groups),
        "age_mae_years": mae,
        "age_cs5": cs5,
        "age_calibration_error": np.abs(age_gaps).sum(axis=1) / total,
        "gender_calibration_error": np.abs(gender_gaps).sum(axis=1) / total,
    }


def confusion(true: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """Count images by true and predicted class, int64 (C, C), true classes in rows."""
    return np.bincount(true * num_classes + predicted, minlength=num_classes**2).reshape(num_classes, num_classes)


def _sums(predictions: Predictions, counts: np.ndarray | None) -> list[np.ndarray]:
    """Add up, in one product, what the images contribute to each draw.

    Returns:
        float64: cells of the confusion matrices of groups (D, G * G) and of genders (D, 4); years of error and images
        within 5 of them (D, 2); hits less confidence in each bin, groups and genders, (D, 15) each.
    """
    error = np.abs(predictions.years_predicted - predictions.years)
    contributions = [
        _cells(predictions.group, predictions.group_predicted, len(predictions.groups)),
        _cells(predictions.gender, predictions.gender_predicted, len(GENDERS)),
        np.stack([error, error <= _WITHIN], axis=1).astype(np.float32),
        *(_gaps(predictions.probabilities(task), predictions.hits(task)) for task in TASKS),
    ]
    columns = np.concatenate(contributions, axis=1)
    if counts is None:
        sums = columns.sum(axis=0, keepdims=True, dtype=np.float64)
    else:
        used = columns.any(axis=0)  # about half: not every mistake is made
        sums = np.zeros((len(counts), columns.shape[1]))
        sums[:, used] = counts @ columns[:, used]
    ends = np.cumsum([part.shape[1] for part in contributions])
    return np.split(sums, ends[:-1], axis=1)


def _cells(true: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """Mark the cell of the confusion matrix that each image is in: float32 (N, C * C)."""
    cells = np.zeros((len(true), num_classes**2), dtype=np.float32)
    cells[np.arange(len(true)), true * num_classes + predicted] = 1
    return cells


def _square(cells: np.ndarray) -> np.ndarray:
    num_classes = math.isqrt(cells.shape[1])
    return cells.reshape(-1, num_classes, num_classes)


def _trace(matrices: np.ndarray) -> np.ndarray:
    return np.trace(matrices, axis1=1, axis2=2)


def _class_means(matrices: np.ndarray) -> dict[str, np.ndarray]:
    """Mean recall of the classes that occur, mean F1 of those that occur or are predicted."""
    hits, true, predicted = np.diagonal(matrices, 0, 1, 2), matrices.sum(axis=2), matrices.sum(axis=1)
    recall = np.divide(hits, true, out=np.zeros_like(hits), where=true > 0)
    f1 = np.divide(2 * hits, true + predicted, out=np.zeros_like(hits), where=true + predicted > 0)
    return {
        "age_balanced_accuracy": recall.sum(axis=1) / (true > 0).sum(axis=1),
        "age_macro_f1": f1.sum(axis=1) / (true + predicted > 0).sum(axis=1),
    }


def kappa(matrices: np.ndarray) -> np.ndarray:
    """Cohen's kappa with quadratic weights; Cohen 1968. NaN where truth and prediction are one and the same class.

    Args:
        matrices: (D, C, C) counts.

    Returns:
        (D,).
    """
    index = np.arange(matrices.shape[-1])
    weights = (index[:, None] - index[None, :]) ** 2
    total = matrices.sum(axis=(1, 2))
    expected = matrices.sum(axis=2)[:, :, None] * matrices.sum(axis=1)[:, None, :] / total[:, None, None]
    by_chance = (weights * expected).sum(axis=(1, 2))
    observed = (weights * matrices).sum(axis=(1, 2))
    ratio = np.divide(observed, by_chance, out=np.full(len(matrices), np.nan), where=by_chance > 0)
    return 1 - ratio


def bin_of_confidence(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the largest probability of each row of (N, C), and the bin (0, 1/15], (1/15, 2/15], ... that it is in."""
    confidence = probabilities.max(axis=1)
    return confidence, np.minimum(np.searchsorted(_BIN_ENDS, confidence), NUM_BINS - 1)


def _gaps(probabilities: np.ndarray, hits: np.ndarray) -> np.ndarray:
    """Give, in the bin that an image is in, how far its hit or miss is from its confidence: float32 (N, 15)."""
    confidence, bins = bin_of_confidence(probabilities)
    gaps = np.zeros((len(hits), NUM_BINS), dtype=np.float32)
    gaps[np.arange(len(hits)), bins] = hits - confidence
    return gaps
