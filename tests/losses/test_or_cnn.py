"""OR-CNN's loss and its weights of the tasks."""

import math

import pytest
import torch
from coral_pytorch.dataset import levels_from_labelbatch
from coral_pytorch.losses import coral_loss
from preparing import prepare

from agegender.losses.or_cnn import OrCnn
from agegender.system.errors import InputError


def prepared(counts: dict[int, int], **arguments: object) -> OrCnn:
    return prepare(OrCnn(**arguments), counts)  # pyright: ignore[reportArgumentType]


def test_the_loss_of_a_network_that_knows_nothing_is_the_log_of_2() -> None:
    years = torch.tensor([0, 30, 100])
    assert OrCnn()(torch.zeros(3, 100), years, years).item() == pytest.approx(math.log(2))


def test_the_loss_is_the_mean_over_the_tasks_of_each_answers_negative_log_probability() -> None:
    outputs = torch.zeros(1, 100)
    outputs[0, :3] = torch.tensor([math.log(3), math.log(3), -math.log(4)])  # P(y > k) = 3/4, 3/4, 1/5
    by_hand = (math.log(4 / 3) + math.log(4) + math.log(5 / 4) + 97 * math.log(2)) / 100  # true: yes, no, no, ...
    assert OrCnn()(outputs, torch.tensor([0]), torch.tensor([1])).item() == pytest.approx(by_hand, rel=1e-6)


@pytest.mark.parametrize("importance", ["none", "sqrt"])
def test_loss_and_gradient_are_coral_pytorchs_on_the_same_logits(importance: str) -> None:
    torch.manual_seed(0)
    years = torch.cat([torch.tensor([0, 99, 100]), torch.randint(101, (13,))])
    method = prepared({k: 1 + k % 7 for k in range(101)}, importance=importance)
    ours, theirs = (torch.randn(16, 100).mul(4).requires_grad_() for _ in range(2))
    theirs.data.copy_(ours.data)
    loss = method(ours, years, years)
    expected = coral_loss(theirs, levels_from_labelbatch(years, 101), importance_weights=method.task_weights / 100)
    torch.testing.assert_close(loss, expected)
    loss.backward(), expected.backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_the_importance_of_a_task_is_the_root_of_its_ages_images_over_the_sum_of_all_roots() -> None:
    weights = prepared(dict.fromkeys(range(120), 4) | {0: 9, 1: 16, 99: 1}, importance="sqrt").task_weights / 100
    roots = [3, 4, *[2] * 97, 1]
    torch.testing.assert_close(weights, torch.tensor(roots) / sum(roots))
    assert weights.sum().item() == pytest.approx(1)


def test_an_age_without_training_images_counts_as_one_image() -> None:
    weights = prepared(dict.fromkeys(range(100), 4) | {97: 0}, importance="sqrt").task_weights
    assert weights[97].item() == pytest.approx(weights[96].item() / 2)


def test_without_importance_every_task_weighs_the_same() -> None:
    assert prepared({0: 9, 50: 100}).task_weights.tolist() == [1.0] * 100


def test_the_importance_of_the_tasks_travels_in_the_state() -> None:
    method = prepared({0: 9, 50: 100}, importance="sqrt")
    again = OrCnn(importance="sqrt")
    again.load_state_dict(method.state_dict())
    assert again.task_weights.equal(method.task_weights) and not again.task_weights.equal(torch.ones(100))


def test_an_unknown_importance_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(InputError, match=r"^loss\.importance=log: .*none, sqrt$"):
        OrCnn(importance="log")
