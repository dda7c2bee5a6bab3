"""Tests of the scores against formulas written down a second time, in numpy, from the labels."""

from typing import Any

import numpy as np
import pytest
import torch

from agegender.records import scores as formulas
from agegender.training import metrics

NUM_GROUPS = 8


def labels(seed: int, number: int = 300, groups: tuple[int, ...] = tuple(range(NUM_GROUPS))) -> dict[str, np.ndarray]:
    """Random labels and predictions; a third of the predictions is right."""
    random = np.random.default_rng(seed)
    group = random.choice(groups, number)
    guess = random.choice(groups, number)
    return {
        "group": group,
        "group_predicted": np.where(random.random(number) < 1 / 3, group, guess),
        "gender": random.integers(0, 2, number),
        "gender_predicted": random.integers(0, 2, number),
        "years": random.integers(0, 121, number),
        "years_predicted": random.uniform(0, 120, number).astype(np.float32),
    }


def scored(told: dict[str, np.ndarray]) -> dict[str, Any]:
    """The scores of the code under test."""
    tensors = {key: torch.from_numpy(value) for key, value in told.items()}
    return metrics.scores(
        **{key: (tensors[f"{key}_predicted"], tensors[key]) for key in ("gender", "years")},
        age=(tensors["group_predicted"], tensors["group"]),
    )


def expected(told: dict[str, np.ndarray]) -> dict[str, float]:
    """The same from the definitions, label by label."""
    group, guess = told["group"], told["group_predicted"]
    recalls = [np.mean(guess[group == index] == index) for index in range(NUM_GROUPS) if np.any(group == index)]
    f1 = []
    for index in range(NUM_GROUPS):
        hits = np.sum((group == index) & (guess == index))
        misses, alarms = np.sum((group == index) & (guess != index)), np.sum((group != index) & (guess == index))
        if hits + misses + alarms:
            f1.append(hits / (hits + 0.5 * (misses + alarms)))
    return {
        "age_accuracy": float(np.mean(group == guess)),
        "gender_accuracy": float(np.mean(told["gender"] == told["gender_predicted"])),
        "mean_accuracy": float(np.mean(np.r_[group == guess, told["gender"] == told["gender_predicted"]])),
        "age_one_off_accuracy": float(np.mean(np.abs(group - guess) <= 1)),
        "age_balanced_accuracy": float(np.mean(recalls)),
        "age_macro_f1": float(np.mean(f1)),
        "age_mae_years": float(np.mean(np.abs(told["years"] - told["years_predicted"].astype(np.float64)))),
    }


@pytest.mark.parametrize("seed", range(3))
def test_the_scores_of_random_labels_follow_their_definitions(seed: int) -> None:
    told = labels(seed)
    assert metrics.scalars(scored(told)) == pytest.approx(expected(told), rel=1e-5)


@pytest.mark.parametrize("groups", [tuple(range(NUM_GROUPS)), (0, 3, 7), (5,)], ids=str)
def test_the_scores_of_a_part_are_those_of_the_report(groups: tuple[int, ...]) -> None:
    told = labels(9, groups=groups)
    found = scored(told)
    matrix = formulas.confusion(told["group"], predicted=told["group_predicted"], num_classes=NUM_GROUPS)
    error = formulas.absolute_error(told["years"], predicted=told["years_predicted"]).mean()
    assert found["age_confusion"] == matrix.tolist()
    assert found["age_accuracy"] == formulas.accuracy(matrix)
    assert found["age_one_off_accuracy"] == formulas.one_off_accuracy(matrix)
    assert found["age_balanced_accuracy"] == pytest.approx(formulas.balanced_accuracy(matrix), rel=1e-12)
    assert found["age_macro_f1"] == pytest.approx(formulas.macro_f1(matrix), rel=1e-12)
    assert found["age_mae_years"] == pytest.approx(error, rel=1e-5)


def test_groups_that_neither_occur_nor_are_predicted_do_not_lower_the_means() -> None:
    told = labels(4, groups=(1, 4, 6))
    assert metrics.scalars(scored(told)) == pytest.approx(expected(told), rel=1e-5)


def test_a_group_that_is_only_predicted_counts_for_the_f1_but_not_for_the_recall() -> None:
    told = labels(5, number=4)
    told["group"], told["group_predicted"] = np.array([2, 2, 5, 5]), np.array([2, 2, 5, 0])
    found = scored(told)
    assert found["age_balanced_accuracy"] == pytest.approx((1 + 1 / 2) / 2)
    assert found["age_macro_f1"] == pytest.approx((1 + 2 / 3 + 0) / 3)


def test_only_the_true_group_and_its_neighbours_count_as_one_off() -> None:
    told = labels(6, number=5)
    told["group"], told["group_predicted"] = np.array([0, 0, 7, 3, 3]), np.array([7, 1, 6, 5, 3])
    assert scored(told)["age_one_off_accuracy"] == 3 / 5


def test_confusion_matrices_count_true_classes_in_rows() -> None:
    told = labels(8, number=3)
    told["group"], told["group_predicted"] = np.array([2, 2, 5]), np.array([4, 2, 2])
    told["gender"], told["gender_predicted"] = np.array([0, 0, 1]), np.array([1, 1, 1])
    found = scored(told)
    cells = {(row, column): n for row, line in enumerate(found["age_confusion"]) for column, n in enumerate(line) if n}
    assert cells == {(2, 4): 1, (2, 2): 1, (5, 2): 1}
    assert found["gender_confusion"] == [[0, 2], [0, 1]]


def test_a_logger_is_given_numbers_only() -> None:
    assert metrics.scalars({"age_accuracy": 0.5, "age_confusion": [[1]], "name": "x"}) == {"age_accuracy": 0.5}
