"""The formula of every score of finished predictions, in NumPy: of a part's test, of a report, of images drawn anew.

Letters: N images, C classes. A confusion matrix has true classes in rows; `(..., C, C)` stands for one of them, or for
several, one per draw. Its entries are counts, whole or weighted.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

NUM_BINS = 15  # of the calibration errors; Guo et al. 2017
_BIN_ENDS = np.linspace(0, 1, NUM_BINS + 1, dtype=np.float32)[1:]  # as exact as the probabilities: 0.2 is no more
_SMALLEST = 5e-7  # files hold 6 decimals, so a probability written as 0 is below this


def confusion(true: np.ndarray, *, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """Count images by true and predicted class.

    Args:
        true: int64 (N,), in [0, C).
        predicted: int64 (N,), in [0, C).
        num_classes: C.

    Returns:
        int64 (C, C), true classes in rows.
    """
    cells = np.bincount(true * num_classes + predicted, minlength=num_classes**2)
    return cells.reshape(num_classes, num_classes)


def accuracy(matrices: np.ndarray) -> np.ndarray:
    """Return the share of images in their own class, (...) in [0, 1].

    Args:
        matrices: (..., C, C) confusion matrices.
    """
    return np.trace(matrices, axis1=-2, axis2=-1) / _num_images(matrices)


def one_off_accuracy(matrices: np.ndarray) -> np.ndarray:
    """Return the share of images in their own class or a neighbour of it, (...) in [0, 1].

    Args:
        matrices: (..., C, C) confusion matrices of ordered classes.
    """
    near = sum(np.trace(matrices, offset, axis1=-2, axis2=-1) for offset in (-1, 0, 1))
    return near / _num_images(matrices)


def balanced_accuracy(matrices: np.ndarray) -> np.ndarray:
    """Return the mean recall of the classes that occur, (...) in [0, 1].

    Args:
        matrices: (..., C, C) confusion matrices.
    """
    hits = np.diagonal(matrices, axis1=-2, axis2=-1)
    true = matrices.sum(axis=-1)
    recall = np.divide(hits, true, out=np.zeros(hits.shape), where=true > 0)
    return recall.sum(axis=-1) / (true > 0).sum(axis=-1)


def macro_f1(matrices: np.ndarray) -> np.ndarray:
    """Return the mean F1 of the classes that occur or are predicted, (...) in [0, 1].

    Args:
        matrices: (..., C, C) confusion matrices.
    """
    hits = np.diagonal(matrices, axis1=-2, axis2=-1)
    either = matrices.sum(axis=-1) + matrices.sum(axis=-2)  # true and predicted images of each class
    f1 = np.divide(2 * hits, either, out=np.zeros(hits.shape), where=either > 0)
    return f1.sum(axis=-1) / (either > 0).sum(axis=-1)


def kappa(matrices: np.ndarray) -> np.ndarray:
    """Cohen's kappa with quadratic weights; Cohen 1968.

    Args:
        matrices: (..., C, C) confusion matrices of ordered classes.

    Returns:
        (...), at most 1. NaN where truth and prediction are one and the same class.
    """
    index = np.arange(matrices.shape[-1])
    weights = (index[:, None] - index[None, :]) ** 2
    true = matrices.sum(axis=-1)
    predicted = matrices.sum(axis=-2)
    expected = true[..., :, None] * predicted[..., None, :] / _num_images(matrices)[..., None, None]
    by_chance = (weights * expected).sum(axis=(-2, -1))
    observed = (weights * matrices).sum(axis=(-2, -1))
    ratio = np.divide(observed, by_chance, out=np.full(by_chance.shape, np.nan), where=by_chance > 0)
    return 1 - ratio


def _num_images(matrices: np.ndarray) -> np.ndarray:
    return matrices.sum(axis=(-2, -1))


def absolute_error(years: np.ndarray, *, predicted: np.ndarray) -> np.ndarray:
    """Return how far each predicted age is from the true one; its mean is the mean absolute error.

    Args:
        years: (N,) true ages in years.
        predicted: (N,) ages in years.

    Returns:
        (N,) in years.
    """
    return np.abs(predicted - years)


def bin_of_confidence(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest probability of each row of (N, C), and the bin (0, 1/15], (1/15, 2/15], ... that it is in."""
    confidence = probabilities.max(axis=1)
    return confidence, np.minimum(np.searchsorted(_BIN_ENDS, confidence), NUM_BINS - 1)


def expected_calibration_error(probabilities: np.ndarray, *, hits: np.ndarray) -> float:
    """Return the mean distance of accuracy from confidence over bins of equal width; Guo et al. 2017.

    It is above 0 for a calibrated network too, by chance in each bin, and so has no interval: a bootstrap's covers a
    true error of 0 never.

    Args:
        probabilities: (N, C).
        hits: bool (N,), whether the predicted class is the true one.
    """
    confidence, bins = bin_of_confidence(probabilities)
    gaps = np.bincount(bins, weights=hits - confidence.astype(np.float64), minlength=NUM_BINS)
    return float(np.abs(gaps).sum() / len(hits))


def squared_calibration_error(probabilities: np.ndarray, *, hits: np.ndarray) -> float:
    """Return the mean squared difference of accuracy and confidence over bins, without bias; Kumar, Liang & Ma 2019.

    What chance adds to the square in each bin is taken off: the variance of the bin's mean difference (their estimator
    has that of its accuracy, which is the same where confidence is constant in a bin). Below 0 as often as above where
    the truth is 0. Bins hold about equally many images, in the order of confidence; equal confidences share a bin.

    Args:
        probabilities: (N, C).
        hits: bool (N,), whether the predicted class is the true one.

    Returns:
        NaN of fewer than two images, whose variance is not known.
    """
    if len(hits) < 2:
        return float("nan")
    confidence = probabilities.max(axis=1).astype(np.float64)
    order = np.argsort(confidence, kind="stable")
    bins = np.split((hits - confidence)[order], _equal_mass_cuts(confidence[order]))
    squares = [gaps.mean() ** 2 - gaps.var(ddof=1) / len(gaps) for gaps in bins]
    return float(np.average(squares, weights=[len(gaps) for gaps in bins]))


def _equal_mass_cuts(confidence: np.ndarray) -> list[int]:
    """Return where bins of about equally many images begin in rising confidences (N,): each has two or more."""
    number = len(confidence)
    ideal = np.arange(1, NUM_BINS) * number // NUM_BINS
    cuts = [0]
    for cut in np.searchsorted(confidence, confidence[ideal]):  # where the confidence of the ideal cut begins
        if cut - cuts[-1] >= 2 and number - cut >= 2:
            cuts.append(int(cut))
    return cuts[1:]


def rms_calibration_error(probabilities: np.ndarray, *, hits: np.ndarray) -> float:
    """Return the root of `squared_calibration_error`, 0 where that is negative; Kumar, Liang & Ma 2019.

    Args:
        probabilities: (N, C).
        hits: bool (N,), whether the predicted class is the true one.
    """
    return float(np.sqrt(np.maximum(squared_calibration_error(probabilities, hits=hits), 0)))


def brier(probabilities: np.ndarray, *, true: np.ndarray) -> np.ndarray:
    """Return the squared distance of probabilities from the true class of each image; Brier 1950.

    Args:
        probabilities: (N, C).
        true: int64 (N,), in [0, C).

    Returns:
        (N,) in [0, 2].
    """
    own = probabilities[np.arange(len(true)), true].astype(np.float64)
    return np.square(probabilities, dtype=np.float64).sum(axis=1) - 2 * own + 1


def negative_log_likelihood(probabilities: np.ndarray, *, true: np.ndarray) -> np.ndarray:
    """Return minus the natural logarithm of the true class's probability.

    A probability below 5e-7 counts as that: files hold 6 decimals. So no image adds more than 14.5.

    Args:
        probabilities: (N, C).
        true: int64 (N,), in [0, C).

    Returns:
        (N,), at least 0.
    """
    own = probabilities[np.arange(len(true)), true].astype(np.float64)
    return -np.log(np.maximum(own, _SMALLEST))


def in_words(scores: Mapping[str, Any], *, detailed: bool = False) -> str:
    """Return the main scores of a record in a line, without those that its labels do not allow.

    Args:
        scores: of a part, as a record has them.
        detailed: also the balanced and the one-off accuracy.
    """
    parts = []
    if scores["age_accuracy"] is not None:
        age = f"age {100 * scores['age_accuracy']:.2f} %"
        if detailed:
            balanced = f"balanced {100 * scores['age_balanced_accuracy']:.2f}"
            age += f" ({balanced}, one-off {100 * scores['age_one_off_accuracy']:.2f})"
        parts.append(age)
    if scores["gender_accuracy"] is not None:
        parts.append(f"gender {100 * scores['gender_accuracy']:.2f} %")
    if scores["age_mae_years"] is not None:
        parts.append(f"MAE {scores['age_mae_years']:.2f} years")
    return ", ".join(parts)
