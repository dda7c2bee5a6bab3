"""CORN: its conditional tasks, against two other implementations."""

import math

import pytest
import torch
from coral_pytorch.dataset import corn_label_from_logits
from coral_pytorch.losses import corn_loss
from dlordinal.losses import CORNLoss

from agegender.losses.corn import Corn

YEARS = [
    pytest.param([0, 1, 2, 30, 57, 99, 100, 100], id="all sorts"),
    pytest.param([3, 0, 2, 2], id="young: most tasks have no face"),
    pytest.param([0], id="newborn: only task 0 has a face"),
    pytest.param([100, 100], id="old: all tasks have all faces"),
]


@pytest.mark.parametrize("years", YEARS)
@pytest.mark.parametrize("theirs", [lambda z, y: corn_loss(z, y, 101), CORNLoss(num_classes=101)])
def test_loss_and_gradient_are_those_of_the_other_implementations(theirs: torch.nn.Module, years: list[int]) -> None:
    torch.manual_seed(0)
    true = torch.tensor(years)
    outputs = torch.randn(len(years), 100).mul(4).requires_grad_()
    loss = Corn()(outputs, true, true)
    expected = theirs(outputs, true)
    torch.testing.assert_close(loss, expected)
    (gradient,) = torch.autograd.grad(loss, outputs)
    (expected_gradient,) = torch.autograd.grad(expected, outputs)
    torch.testing.assert_close(gradient, expected_gradient)


def test_a_task_is_trained_on_the_faces_that_are_older_than_the_age_before() -> None:
    outputs = torch.zeros(1, 100, requires_grad=True)
    Corn()(outputs, torch.tensor([0]), torch.tensor([2])).backward()
    assert outputs.grad is not None
    # Three answers, y > 0: yes, y > 1: yes, y > 2: no, each with probability 1/2; nothing is asked beyond.
    assert outputs.grad[0, :3].tolist() == pytest.approx([-1 / 6, -1 / 6, 1 / 6])
    assert not outputs.grad[0, 3:].any()


def test_a_face_of_100_years_and_one_of_116_are_the_same_to_the_loss() -> None:
    torch.manual_seed(0)
    outputs = torch.randn(1, 100)
    group = torch.tensor([7])
    losses = [Corn()(outputs, group, torch.tensor([years])).item() for years in (100, 116)]
    assert losses[0] == losses[1]


def test_the_probability_of_being_older_is_the_product_of_all_tasks_so_far() -> None:
    outputs = torch.full((1, 100), -100.0)
    outputs[0, :3] = torch.tensor([math.log(3), math.log(4), 0.0])  # 3/4, 4/5, 1/2
    older = Corn().probabilities(outputs)[0]
    assert older[:3].tolist() == pytest.approx([0.75, 0.6, 0.3])
    assert older[3:].sum().item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("scale", [1, 30, 1000])
def test_the_probabilities_never_rise_and_stay_between_0_and_1(scale: int) -> None:
    torch.manual_seed(0)
    older = Corn().probabilities(torch.randn(64, 100) * scale)
    assert (older.diff(dim=1) <= 0).all() and older.min() >= 0 and older.max() <= 1


def test_the_years_are_coral_pytorchs_rank() -> None:
    torch.manual_seed(0)
    outputs = torch.randn(256, 100) + torch.linspace(-3, 12, 256)[:, None]
    years = Corn().decode(outputs).years
    assert years.tolist() == corn_label_from_logits(outputs).tolist()
    assert years.min() == 0 and years.max() > 90
