"""The plain and the weighted cross-entropy."""

import math

import pytest
import torch
from preparing import prepare
from torch import Tensor
from torch.nn import functional

from agegender.losses.cross_entropy import CrossEntropy

FIRST_AGES = (0, 3, 7, 13, 21, 33, 44, 54)  # of the closed groups
COUNTS = (10, 20, 30, 40, 200, 100, 60, 340)  # training images of the groups; their mean is 100
BY_HAND = (10.0, 5.0, 100 / 30, 2.5, 0.5, 1.0, 100 / 60, 100 / 340)  # eq. 1: E(m) / m_i


def prepared(counts: tuple[int, ...] = COUNTS, **arguments: object) -> CrossEntropy:
    """Make a method that has seen these numbers of images of the groups, all of each group's first age."""
    method = CrossEntropy(**arguments)  # pyright: ignore[reportArgumentType]
    return prepare(method, dict(zip(FIRST_AGES, counts, strict=True)))


def years_of(group: Tensor) -> Tensor:
    return torch.tensor(FIRST_AGES)[group]


def test_classes_of_equal_size_weigh_one_each() -> None:
    assert prepared((7,) * 8, weighting="inverse").class_weights().tolist() == [1.0] * 8


@pytest.mark.parametrize("normalization", ["images", "weights"])
def test_the_plain_loss_is_pytorchs_cross_entropy(batch: tuple[Tensor, Tensor], normalization: str) -> None:
    outputs, group = batch
    loss = prepared(normalization=normalization)(outputs, group, years_of(group))
    torch.testing.assert_close(loss, functional.cross_entropy(outputs, group))


def test_the_weighted_loss_is_the_mean_over_images_of_weight_times_negative_log_probability() -> None:
    outputs = torch.zeros(3, 8)
    outputs[0, 1] = math.log(3)  # probability of class 1: 3 / 10
    group = torch.tensor([1, 4, 4])  # weights 5 and 0.5; the others' probability is 1 / 8
    by_hand = (5 * math.log(10 / 3) + 2 * 0.5 * math.log(8)) / 3
    assert prepared(weighting="inverse")(outputs, group, years_of(group)).item() == pytest.approx(by_hand, rel=1e-6)


def test_normalized_by_weights_the_loss_is_pytorchs_weighted_cross_entropy(batch: tuple[Tensor, Tensor]) -> None:
    outputs, group = batch
    loss = prepared(weighting="inverse", normalization="weights")(outputs, group, years_of(group))
    expected = torch.nn.CrossEntropyLoss(weight=torch.tensor(BY_HAND))(outputs, group)
    torch.testing.assert_close(loss, expected)


def test_the_two_normalizations_differ_on_a_batch_of_several_classes(batch: tuple[Tensor, Tensor]) -> None:
    outputs, group = batch
    losses = [prepared(weighting="inverse", normalization=how)(outputs, group, group) for how in ("images", "weights")]
    assert losses[0].item() == pytest.approx(losses[1].item() * sum(BY_HAND) / 8, rel=1e-5)


@pytest.mark.parametrize("group", range(8))
def test_normalized_by_images_a_batch_of_one_class_keeps_its_weight(group: int) -> None:
    torch.manual_seed(1)
    outputs = torch.randn(5, 8)
    groups = torch.full((5,), group)
    loss = prepared(weighting="inverse")(outputs, groups, years_of(groups))
    torch.testing.assert_close(loss, BY_HAND[group] * functional.cross_entropy(outputs, groups))


@pytest.mark.parametrize("group", [0, 7])
def test_normalized_by_weights_a_batch_of_one_class_loses_its_weight(group: int) -> None:
    torch.manual_seed(1)
    outputs = torch.randn(5, 8)
    groups = torch.full((5,), group)
    loss = prepared(weighting="inverse", normalization="weights")(outputs, groups, years_of(groups))
    torch.testing.assert_close(loss, functional.cross_entropy(outputs, groups))


def test_a_class_without_training_images_weighs_nothing_and_counts_for_no_mean() -> None:
    weights = prepared((0, 20, 30, 40, 200, 100, 60, 250), weighting="inverse").class_weights()
    torch.testing.assert_close(
        weights, torch.tensor([0.0, 100 / 20, 100 / 30, 2.5, 0.5, 1.0, 100 / 60, 0.4])
    )  # the mean of the seven that occur is 100


def test_a_batch_with_a_class_without_training_images_has_a_finite_loss_and_gradient() -> None:
    method = prepared((0, *COUNTS[1:]), weighting="inverse")
    outputs = torch.randn(4, 8, requires_grad=True)
    method(outputs, torch.tensor([0, 0, 1, 7]), torch.tensor([1, 1, 4, 60])).backward()
    assert outputs.grad is not None and outputs.grad.isfinite().all()
    assert not outputs.grad[:2].any() and outputs.grad[2:].any()


@pytest.mark.parametrize("normalization", ["images", "weights"])
def test_a_batch_of_nothing_but_a_class_without_training_images_has_a_finite_loss(normalization: str) -> None:
    method = prepared((0, *COUNTS[1:]), weighting="inverse", normalization=normalization)
    loss = method(torch.randn(3, 8), torch.zeros(3, dtype=torch.int64), torch.zeros(3, dtype=torch.int64))
    assert loss.isfinite()


def test_the_predicted_age_is_the_median_age_of_the_most_probable_group() -> None:
    method = prepared()
    outputs = torch.zeros(2, 8)
    outputs[0, 2] = 5.0
    outputs[1, 7] = 0.1
    assert method.decode(outputs).years.tolist() == [7.0, 54.0]


def test_the_predicted_probabilities_are_the_softmax_of_the_outputs() -> None:
    outputs = torch.tensor([[math.log(value) for value in (1, 2, 3, 4, 5, 6, 7, 12)]])
    expected = torch.tensor([[1, 2, 3, 4, 5, 6, 7, 12]]) / 40
    torch.testing.assert_close(prepared().decode(outputs).group, expected)


def test_a_methods_knowledge_of_the_training_set_travels_in_its_state() -> None:
    again = CrossEntropy(weighting="inverse")
    again.load_state_dict(prepared(weighting="inverse").state_dict())
    torch.testing.assert_close(again.class_weights(), torch.tensor(BY_HAND))
