"""Every score of a run, for the test images as they are and for images drawn anew, by the formulas of `records.scores`.

A draw is a number of times that each image counts, (D, N) for D draws of N images; once each is the test itself.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from agegender.labels import GENDERS
from agegender.records.predictions import TASKS, Predictions
from agegender.records.scores import (
    absolute_error,
    accuracy,
    balanced_accuracy,
    brier,
    expected_calibration_error,
    kappa,
    macro_f1,
    negative_log_likelihood,
    one_off_accuracy,
    rms_calibration_error,
)

_WITHIN = 5  # years, of the cumulative score
_OF_YEARS = ("age_mae_years", "age_cs5")
_MEANS = ("age_mae_years", "age_cs5", "age_brier", "age_nll", "gender_brier", "gender_nll")  # over images


@dataclass(frozen=True)
class Score:
    """How a score is shown.

    Attributes:
        title: for people.
        unit: "%" for shares, which are shown times 100, "years", or "".
        higher_is_better: whether more is better.
        has_interval: whether draws of the images give an interval. They do not for calibration errors over bins: images
            that are drawn twice make bins look worse than they are.
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
    "age_calibration_error": Score("Age, expected calibration error", "%", higher_is_better=False, has_interval=False),
    "age_rms_calibration_error": Score(
        "Age, debiased RMS calibration error", "%", higher_is_better=False, has_interval=False
    ),
    "age_brier": Score("Age, Brier score", "", higher_is_better=False),
    "age_nll": Score("Age, negative log-likelihood", "", higher_is_better=False),
    "gender_calibration_error": Score(
        "Gender, expected calibration error", "%", higher_is_better=False, has_interval=False
    ),
    "gender_rms_calibration_error": Score(
        "Gender, debiased RMS calibration error", "%", higher_is_better=False, has_interval=False
    ),
    "gender_brier": Score("Gender, Brier score", "", higher_is_better=False),
    "gender_nll": Score("Gender, negative log-likelihood", "", higher_is_better=False),
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
        (D,) each, float64, in the order of `SCORES`; a score without an image to say anything is 0, a kappa without
        variation NaN. Of draws, a score without an interval is NaN: nothing needs it. An image does not count for a
        task whose label it lacks; the scores of a task without any label are NaN.
    """
    if not predictions.is_complete:
        return _partial_scores(predictions, counts)
    groups, genders, means = _sums(predictions, counts)
    groups = _square(groups)
    genders = _square(genders)
    total = groups.sum(axis=(1, 2))
    found = {
        "age_accuracy": accuracy(groups),
        "gender_accuracy": accuracy(genders),
        "age_one_off_accuracy": one_off_accuracy(groups),
        "age_balanced_accuracy": balanced_accuracy(groups),
        "age_macro_f1": macro_f1(groups),
        "age_kappa": kappa(groups),
        **dict(zip(_MEANS, means.T / total, strict=True)),
    }
    if counts is None:
        for task in TASKS:
            found |= _calibration_errors(predictions, task)
    nothing = np.full(len(total), np.nan)
    return {key: found.get(key, nothing) for key in SCORES}


def _partial_scores(predictions: Predictions, counts: np.ndarray | None) -> dict[str, np.ndarray]:
    """Compute the scores of each task from the images that have its label."""
    nothing = np.full(1 if counts is None else len(counts), np.nan)
    found = dict.fromkeys(SCORES, nothing)
    known = {task: predictions.known(task) for task in TASKS}
    known["years"] = ~np.isnan(predictions.years)
    for task, chosen in known.items():
        if not chosen.any():
            continue
        labelled = _with_any_labels(predictions.rows(chosen), task)
        own = scores(labelled) if counts is None else _scores_of_draws(labelled, counts[:, chosen])
        found |= {key: value for key, value in own.items() if _task_of(key) == task}
    return found


def _scores_of_draws(predictions: Predictions, counts: np.ndarray) -> dict[str, np.ndarray]:
    """Compute the scores of draws; NaN of those in which no image with a label was drawn."""
    drawn = counts.any(axis=1)
    found = {}
    for key, values in scores(predictions, counts[drawn]).items():
        found[key] = np.full(len(counts), np.nan)
        found[key][drawn] = values
    return found


def _task_of(key: str) -> str:
    return "years" if key in _OF_YEARS else key.partition("_")[0]


def _with_any_labels(predictions: Predictions, task: str) -> Predictions:
    """Return predictions in which the labels of the other tasks are not missing; their scores are not used."""
    return replace(
        predictions,
        group=predictions.group if task == "age" else np.maximum(predictions.group, 0),
        gender=predictions.gender if task == "gender" else np.maximum(predictions.gender, 0),
        years=predictions.years if task == "years" else np.nan_to_num(predictions.years),
    )


def _calibration_errors(predictions: Predictions, task: str) -> dict[str, np.ndarray]:
    probabilities = predictions.probabilities(task)
    hits = predictions.hits(task)
    return {
        f"{task}_calibration_error": np.array([expected_calibration_error(probabilities, hits=hits)]),
        f"{task}_rms_calibration_error": np.array([rms_calibration_error(probabilities, hits=hits)]),
    }


def _sums(predictions: Predictions, counts: np.ndarray | None) -> list[np.ndarray]:
    """Add up, in one product, what the images contribute to each draw.

    Returns:
        float64: cells of the confusion matrices of groups (D, G * G) and of genders (D, 4); what `_MEANS` names (D, 6).
    """
    contributions = [
        _cells(predictions.group, predictions.group_predicted, len(predictions.groups)),
        _cells(predictions.gender, predictions.gender_predicted, len(GENDERS)),
        _of_images(predictions),
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


def _of_images(predictions: Predictions) -> np.ndarray:
    """Return the scores that are means over images, of each image: float32 (N, 6), in the order of `_MEANS`."""
    error = absolute_error(predictions.years, predicted=predictions.years_predicted)
    columns = [
        error,
        error <= _WITHIN,
        brier(predictions.p_group, true=predictions.group),
        negative_log_likelihood(predictions.p_group, true=predictions.group),
        brier(predictions.p_gender, true=predictions.gender),
        negative_log_likelihood(predictions.p_gender, true=predictions.gender),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def _cells(true: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """Mark the cell of the confusion matrix that each image is in: float32 (N, C * C)."""
    cells = np.zeros((len(true), num_classes**2), dtype=np.float32)
    cells[np.arange(len(true)), true * num_classes + predicted] = 1
    return cells


def _square(cells: np.ndarray) -> np.ndarray:
    num_classes = math.isqrt(cells.shape[1])
    return cells.reshape(-1, num_classes, num_classes)
