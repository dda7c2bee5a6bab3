"""Ranking-CNN's pairs of outputs."""

import pytest
import torch
from torch.nn import functional

from agegender.losses.ranking_cnn import RankingCnn


def test_every_task_has_two_outputs() -> None:
    assert RankingCnn().num_outputs == 200


def test_loss_and_gradient_are_pytorchs_softmax_loss_over_each_pair() -> None:
    torch.manual_seed(0)
    years = torch.tensor([0, 1, 17, 50, 99, 100])
    outputs = torch.randn(6, 200).mul(4).requires_grad_()
    decisions = torch.tensor([[int(y > k) for k in range(100)] for y in years.tolist()])
    expected = functional.cross_entropy(outputs.reshape(600, 2), decisions.reshape(600))
    loss = RankingCnn()(outputs, years, years)
    torch.testing.assert_close(loss, expected)
    (gradient,) = torch.autograd.grad(loss, outputs)
    (expected_gradient,) = torch.autograd.grad(expected, outputs)
    torch.testing.assert_close(gradient, expected_gradient)


@pytest.mark.parametrize("tasks", [[], [0], [3, 50, 99], list(range(100))], ids=len)
def test_the_years_are_the_number_of_tasks_that_decide_for_older(tasks: list[int]) -> None:
    outputs = torch.zeros(1, 100, 2)
    outputs[..., 0] = 1.0  # not older
    outputs[0, tasks, 1] = 3.0
    assert RankingCnn().decode(outputs.flatten(1)).years.tolist() == [len(tasks)]


def test_what_both_outputs_of_a_pair_have_in_common_says_nothing() -> None:
    torch.manual_seed(0)
    pairs = torch.randn(4, 100, 2)
    shifted = pairs + torch.randn(4, 100, 1)
    torch.testing.assert_close(
        RankingCnn().probabilities(shifted.flatten(1)), RankingCnn().probabilities(pairs.flatten(1))
    )
