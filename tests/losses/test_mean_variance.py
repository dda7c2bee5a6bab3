"""The mean-variance loss."""

import math

import pytest
import torch
from torch.distributions import Categorical
from torch.nn import functional

from agegender.losses.mean_variance import MeanVariance
from agegender.system.errors import InputError


def test_two_equal_peaks_cost_what_is_computed_by_hand() -> None:
    outputs = torch.full((1, 101), -1e4)
    outputs[0, [20, 40]] = 0.0  # mean 30, variance 100; the true age has probability 1/2
    loss = MeanVariance()(outputs, torch.tensor([3]), torch.tensor([20]))
    assert loss.item() == pytest.approx(math.log(2) + 0.2 * 0.5 * 10**2 + 0.05 * 100, rel=1e-6)


@pytest.mark.parametrize(("mean_weight", "variance_weight"), [(0.0, 0.0), (0.2, 0.0), (0.0, 0.05), (1.0, 2.0)])
def test_the_loss_is_cross_entropy_and_the_weighted_mean_and_variance_losses(
    mean_weight: float, variance_weight: float
) -> None:
    torch.manual_seed(0)
    outputs = 2 * torch.randn(4, 101)
    years = torch.tensor([0, 33, 100, 116])
    classes = years.clamp(max=100)
    ages = torch.arange(101).double()
    probabilities = Categorical(logits=outputs.double()).probs
    mean = probabilities @ ages
    variance = probabilities @ ages**2 - mean**2
    mean_loss = ((mean - classes) ** 2).sum() / (2 * 4)
    expected = functional.cross_entropy(outputs, classes) + mean_weight * mean_loss + variance_weight * variance.mean()
    method = MeanVariance(mean_weight=mean_weight, variance_weight=variance_weight)
    torch.testing.assert_close(method(outputs, torch.tensor([0, 5, 7, 7]), years), expected.float())


@pytest.mark.parametrize("age", [0, 50, 100])
def test_a_certain_and_right_prediction_costs_nothing(age: int) -> None:
    outputs = torch.zeros(1, 101)
    outputs[0, age] = 1e3
    assert MeanVariance()(outputs, torch.tensor([0]), torch.tensor([age])).item() == 0


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf, "much"])
@pytest.mark.parametrize("key", ["mean_weight", "variance_weight"])
def test_a_weight_out_of_its_range_is_refused_in_one_line(key: str, value: object) -> None:
    with pytest.raises(InputError, match=rf"^loss\.{key}={value}: [^\n]*such as"):
        MeanVariance(**{key: value})  # pyright: ignore[reportArgumentType]
