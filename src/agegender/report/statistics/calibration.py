"""How well probabilities mean what they say: calibration errors, Brier score, negative log-likelihood."""

import numpy as np

NUM_BINS = 15  # of the calibration errors; Guo et al. 2017
_BIN_ENDS = np.linspace(0, 1, NUM_BINS + 1, dtype=np.float32)[1:]  # as exact as the probabilities: 0.2 is no more
_SMALLEST = 5e-7  # files hold 6 decimals, so a probability written as 0 is below this


def bin_of_confidence(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest probability of each row of (N, C), and the bin (0, 1/15], (1/15, 2/15], ... that it is in."""
    confidence = probabilities.max(axis=1)
    return confidence, np.minimum(np.searchsorted(_BIN_ENDS, confidence), NUM_BINS - 1)


def expected_calibration_error(probabilities: np.ndarray, hits: np.ndarray) -> float:
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


def squared_calibration_error(probabilities: np.ndarray, hits: np.ndarray) -> float:
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


def rms_calibration_error(probabilities: np.ndarray, hits: np.ndarray) -> float:
    """Return the root of `squared_calibration_error`, 0 where that is negative; Kumar, Liang & Ma 2019."""
    return float(np.sqrt(np.maximum(squared_calibration_error(probabilities, hits), 0)))


def brier(probabilities: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Return the squared distance of (N, C) probabilities from the true class of each image, in [0, 2]; Brier 1950."""
    own = probabilities[np.arange(len(true)), true].astype(np.float64)
    return np.square(probabilities, dtype=np.float64).sum(axis=1) - 2 * own + 1


def negative_log_likelihood(probabilities: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Return minus the natural logarithm of the true class's probability, (N,).

    A probability below 5e-7 counts as that: files hold 6 decimals. So no image adds more than 14.5.
    """
    own = probabilities[np.arange(len(true)), true].astype(np.float64)
    return -np.log(np.maximum(own, _SMALLEST))
