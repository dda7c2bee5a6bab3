"""Label distribution learning (DLDL-v2)."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch.distributions import Categorical, kl_divergence

from agegender.losses.label_distribution import LabelDistribution, gaussian_labels
from agegender.system.errors import InputError

AGES = np.arange(101)


def scipy_labels(age: int, sigma: float) -> torch.Tensor:
    density = norm.pdf(AGES, loc=age, scale=sigma)
    return torch.from_numpy(density / density.sum())


@pytest.mark.parametrize("sigma", [0.5, 2.0, 7.5])
@pytest.mark.parametrize("age", [0, 1, 50, 99, 100])
def test_a_label_is_the_gaussian_around_the_age_summing_to_one(age: int, sigma: float) -> None:
    labels = gaussian_labels(sigma)[age]
    torch.testing.assert_close(labels, scipy_labels(age, sigma).float(), rtol=1e-5, atol=1e-12)
    assert labels.sum().item() == pytest.approx(1.0)


def test_the_label_at_an_edge_keeps_the_half_that_is_inside() -> None:
    halves = [1, *(math.exp(-(k**2) / 8) for k in range(1, 101))]  # sigma 2
    expected = torch.tensor(halves) / sum(halves)
    torch.testing.assert_close(gaussian_labels(2.0)[0], expected)
    torch.testing.assert_close(gaussian_labels(2.0)[100], expected.flip(0))


@pytest.mark.parametrize("sigma", [1e-300, 1e300])
def test_an_extreme_deviation_gives_one_age_or_all_alike(sigma: float) -> None:
    expected = torch.eye(101) if sigma < 1 else torch.full((101, 101), 1 / 101)
    torch.testing.assert_close(gaussian_labels(sigma), expected)


@pytest.mark.parametrize("expectation_weight", [0.0, 1.0, 2.5])
def test_the_loss_is_the_divergence_and_the_weighted_error_of_the_expected_age(expectation_weight: float) -> None:
    torch.manual_seed(0)
    outputs = 2 * torch.randn(5, 101)
    years = torch.tensor([0, 3, 40, 100, 116])
    method = LabelDistribution(sigma=3.0, expectation_weight=expectation_weight)
    predicted = Categorical(logits=outputs.double())
    classes = [0, 3, 40, 100, 100]
    truth = Categorical(probs=torch.stack([scipy_labels(age, 3.0) for age in classes]))
    error = (predicted.probs @ torch.from_numpy(AGES).double() - torch.tensor(classes)).abs()
    expected = (kl_divergence(truth, predicted) + expectation_weight * error).mean()
    torch.testing.assert_close(method(outputs, torch.tensor([0, 1, 5, 7, 7]), years), expected.float())


@pytest.mark.parametrize("age", [10, 50, 90])
def test_a_prediction_of_the_label_itself_costs_nothing(age: int) -> None:
    outputs = torch.log(scipy_labels(age, 2.0)).float().clamp(min=-1e4)[None]
    assert LabelDistribution()(outputs, torch.tensor([4]), torch.tensor([age])).item() == pytest.approx(0.0, abs=1e-4)


def test_equal_logits_cost_the_divergence_from_the_uniform_and_the_distance_from_50() -> None:
    labels = scipy_labels(20, 2.0)
    entropy = Categorical(probs=labels).entropy().item()
    loss = LabelDistribution()(torch.zeros(1, 101), torch.tensor([3]), torch.tensor([20]))
    assert loss.item() == pytest.approx(math.log(101) - entropy + 30, rel=1e-5)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("sigma", value) for value in (0.0, -1.0, math.nan, math.inf, "wide")),
        *(("expectation_weight", value) for value in (-0.1, math.nan, math.inf, "much")),
    ],
)
def test_a_key_out_of_its_range_is_refused_in_one_line(key: str, value: object) -> None:
    with pytest.raises(InputError, match=rf"^loss\.{key}={value}: [^\n]*such as"):
        LabelDistribution(**{key: value})  # pyright: ignore[reportArgumentType]
