"""Deep expectation (DEX)."""

import math

import pytest
import torch
from torch.nn import functional

from agegender.losses.dex import Dex


def test_the_loss_of_equal_logits_is_the_log_of_the_number_of_ages() -> None:
    loss = Dex()(torch.zeros(3, 101), torch.tensor([0, 4, 7]), torch.tensor([0, 25, 100]))
    assert loss.item() == pytest.approx(math.log(101), rel=1e-6)


def test_the_loss_is_pytorchs_cross_entropy_over_the_ages() -> None:
    torch.manual_seed(0)
    outputs = torch.randn(4, 101)
    years = torch.tensor([0, 20, 100, 116])
    loss = Dex()(outputs, torch.tensor([0, 3, 7, 7]), years)
    torch.testing.assert_close(loss, functional.cross_entropy(outputs, torch.tensor([0, 20, 100, 100])))


def test_the_expectation_of_two_equal_peaks_is_their_midpoint() -> None:
    outputs = torch.full((1, 101), -1e4)
    outputs[0, [20, 40]] = 0.0
    assert Dex().decode(outputs).years.item() == pytest.approx(30.0)


@pytest.mark.parametrize("age", [0, 57, 100])
def test_a_certain_age_is_predicted_as_it_is(age: int) -> None:
    outputs = torch.zeros(1, 101)
    outputs[0, age] = 1e3
    assert Dex().decode(outputs).years.item() == age


def test_equal_logits_predict_the_middle_of_the_ages() -> None:
    assert Dex().decode(torch.zeros(2, 101)).years.tolist() == pytest.approx([50.0, 50.0])
