"""The scores against independent formulas in NumPy."""

from typing import Any

import numpy as np
import pytest
import torch

from agegender.records import scores as formulas
from agegender.training import metrics

NUM_GROUPS = 8


def random_labels(
    seed: int, num_images: int = 300, groups: tuple[int, ...] = tuple(range(NUM_GROUPS))
) -> dict[str, np.ndarray]:
    """Draw labels and predictions; a third of the predicted groups is right by construction."""
    random = np.random.default_rng(seed)
    group = random.choice(groups, num_images)
    guess = random.choice(groups, num_images)
    return {
        "group": group,
        "group_predicted": np.where(random.random(num_images) < 1 / 3, group, guess),
        "gender": random.integers(0, 2, num_images),
        "gender_predicted": random.integers(0, 2, num_images),
        "years": random.integers(0, 121, num_images),
        "years_predicted": random.uniform(0, 120, num_images).astype(np.float32),
    }


def scored(labels: dict[str, np.ndarray]) -> dict[str, Any]:
    """Return the scores of the code under test."""
    tensors = {key: torch.from_numpy(value) for key, value in labels.items()}
    return metrics.scores(
        **{key: (tensors[f"{key}_predicted"], tensors[key]) for key in ("gender", "years")},
        age=(tensors["group_predicted"], tensors["group"]),
    )


def expected(labels: dict[str, np.ndarray]) -> dict[str, float]:
    """Compute the same scores from their definitions, label by label."""
    group = labels["group"]
    guess = labels["group_predicted"]
    recalls = [np.mean(guess[group == index] == index) for index in range(NUM_GROUPS) if np.any(group == index)]
    f1 = []
    for index in range(NUM_GROUPS):
        hits = np.sum((group == index) & (guess == index))
        misses = np.sum((group == index) & (guess != index))
        alarms = np.sum((group != index) & (guess == index))
        if hits + misses + alarms:
            f1.append(hits / (hits + 0.5 * (misses + alarms)))
    return {
        "age_accuracy": float(np.mean(group == guess)),
        "gender_accuracy": float(np.mean(labels["gender"] == labels["gender_predicted"])),
        "mean_accuracy": float(np.mean(np.r_[group == guess, labels["gender"] == labels["gender_predicted"]])),
        "age_one_off_accuracy": float(np.mean(np.abs(group - guess) <= 1)),
        "age_balanced_accuracy": float(np.mean(recalls)),
        "age_macro_f1": float(np.mean(f1)),
        "age_mae_years": float(np.mean(np.abs(labels["years"] - labels["years_predicted"].astype(np.float64)))),
    }


@pytest.mark.parametrize("seed", range(3))
def test_the_scores_of_random_labels_follow_their_definitions(seed: int) -> None:
    labels = random_labels(seed)
    assert metrics.scalars(scored(labels)) == pytest.approx(expected(labels), rel=1e-5)


@pytest.mark.parametrize("groups", [tuple(range(NUM_GROUPS)), (0, 3, 7), (5,)], ids=str)
def test_the_scores_of_a_part_are_those_of_the_report(groups: tuple[int, ...]) -> None:
    drawn = random_labels(9, groups=groups)
    found = scored(drawn)
    matrix = formulas.confusion(drawn["group"], predicted=drawn["group_predicted"], num_classes=NUM_GROUPS)
    error = formulas.absolute_error(drawn["years"], predicted=drawn["years_predicted"]).mean()
    assert found["age_confusion"] == matrix.tolist()
    assert found["age_accuracy"] == formulas.accuracy(matrix)
    assert found["age_one_off_accuracy"] == formulas.one_off_accuracy(matrix)
    assert found["age_balanced_accuracy"] == formulas.balanced_accuracy(matrix)
    assert found["age_macro_f1"] == formulas.macro_f1(matrix)
    assert found["age_mae_years"] == pytest.approx(error, rel=1e-5)


def test_groups_that_neither_occur_nor_are_predicted_do_not_lower_the_means() -> None:
    labels = random_labels(4, groups=(1, 4, 6))
    assert metrics.scalars(scored(labels)) == pytest.approx(expected(labels), rel=1e-5)


def test_a_group_that_is_only_predicted_counts_for_the_f1_but_not_for_the_recall() -> None:
    labels = random_labels(5, num_images=4)
    labels["group"] = np.array([2, 2, 5, 5])
    labels["group_predicted"] = np.array([2, 2, 5, 0])
    found = scored(labels)
    assert found["age_balanced_accuracy"] == pytest.approx((1 + 1 / 2) / 2)
    assert found["age_macro_f1"] == pytest.approx((1 + 2 / 3 + 0) / 3)


def test_only_the_true_group_and_its_neighbours_count_as_one_off() -> None:
    labels = random_labels(6, num_images=5)
    labels["group"] = np.array([0, 0, 7, 3, 3])
    labels["group_predicted"] = np.array([7, 1, 6, 5, 3])
    assert scored(labels)["age_one_off_accuracy"] == 3 / 5


def test_confusion_matrices_count_true_classes_in_rows() -> None:
    labels = random_labels(8, num_images=3)
    labels["group"] = np.array([2, 2, 5])
    labels["group_predicted"] = np.array([4, 2, 2])
    labels["gender"] = np.array([0, 0, 1])
    labels["gender_predicted"] = np.array([1, 1, 1])
    found = scored(labels)
    cells = {(row, column): n for row, line in enumerate(found["age_confusion"]) for column, n in enumerate(line) if n}
    assert cells == {(2, 4): 1, (2, 2): 1, (5, 2): 1}
    assert found["gender_confusion"] == [[0, 2], [0, 1]]


def test_a_logger_is_given_numbers_only() -> None:
    assert metrics.scalars({"age_accuracy": 0.5, "age_confusion": [[1]], "name": "x"}) == {"age_accuracy": 0.5}
