"""The focal loss; Lin et al. 2017: FL(p) = -(1 - p)^gamma log p."""

import math

import pytest
import torch
from torch import Tensor

from agegender.losses.cross_entropy import CrossEntropy
from agegender.losses.focal import Focal
from agegender.system.errors import InputError

COUNTS = torch.tensor([10.0, 20, 30, 40, 200, 100, 60, 340])
YEARS = torch.zeros(16, dtype=torch.int64)  # not read


def loss_at(probability: float, gamma: float) -> float:
    """Return the loss of one image whose true group has this probability; the seven others share the rest."""
    outputs = torch.full((1, 8), math.log((1 - probability) / 7))
    outputs[0, 2] = math.log(probability)
    return Focal(gamma=gamma)(outputs, torch.tensor([2]), YEARS[:1]).item()


@pytest.mark.parametrize(
    ("probability", "gamma", "by_hand"),
    [
        (0.5, 2.0, 0.25 * math.log(2)),
        (0.9, 2.0, 0.01 * math.log(10 / 9)),
        (0.1, 2.0, 0.81 * math.log(10)),
        (0.75, 0.5, 0.5 * math.log(4 / 3)),
        (0.2, 1.0, 0.8 * math.log(5)),
        (0.5, 5.0, math.log(2) / 32),
    ],
)
def test_the_cross_entropy_is_scaled_by_a_power_of_what_lacks_to_certainty(
    probability: float, gamma: float, by_hand: float
) -> None:
    assert loss_at(probability, gamma) == pytest.approx(by_hand, rel=1e-5)


def test_the_loss_of_a_batch_is_the_mean_over_its_images() -> None:
    outputs = torch.zeros(2, 8)
    outputs[0, 1] = math.log(7)  # probability of group 1: 1 / 2; of each group in the second image 1 / 8
    by_hand = (0.25 * math.log(2) + (7 / 8) ** 2 * math.log(8)) / 2
    assert Focal()(outputs, torch.tensor([1, 6]), YEARS[:2]).item() == pytest.approx(by_hand, rel=1e-6)


@pytest.mark.parametrize("weighting", ["none", "inverse"])
def test_with_a_gamma_of_zero_loss_and_gradient_are_those_of_the_cross_entropy(
    batch: tuple[Tensor, Tensor], weighting: str
) -> None:
    found = []
    for method in (Focal(gamma=0.0, weighting=weighting), CrossEntropy(weighting=weighting)):
        method.group_counts.copy_(COUNTS)
        outputs = batch[0].clone().requires_grad_()
        loss = method(outputs, batch[1], YEARS)
        loss.backward()
        found.append((loss.detach(), outputs.grad))
    (loss, gradient), (expected_loss, expected_gradient) = found
    assert torch.equal(loss, expected_loss) and torch.equal(gradient, expected_gradient)


def test_the_weight_of_a_group_scales_its_images() -> None:
    method = Focal(weighting="inverse")
    method.group_counts.copy_(COUNTS)
    by_hand = (10 + 0.5) / 2 * (7 / 8) ** 2 * math.log(8)  # eq. 1: 100 / 10 and 100 / 200
    assert method(torch.zeros(2, 8), torch.tensor([0, 4]), YEARS[:2]).item() == pytest.approx(by_hand, rel=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.01, 0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("margin", [0.0, 1.0, 15.0, 17.0, 100.0, 1e4])
@pytest.mark.parametrize("true", [0, 1])
def test_loss_and_gradient_are_finite_however_sure_the_network_is(gamma: float, margin: float, true: int) -> None:
    outputs = torch.zeros(1, 8)
    outputs[0, 0] = margin
    outputs.requires_grad_()
    loss = Focal(gamma=gamma)(outputs, torch.tensor([true]), YEARS[:1])
    loss.backward()
    assert outputs.grad is not None
    assert loss.isfinite() and loss >= 0 and outputs.grad.isfinite().all()


def test_the_loss_of_a_nearly_certain_prediction_is_exact() -> None:
    outputs = torch.zeros(1, 8)
    outputs[0, 3] = 12.0
    missing = 7 / (math.exp(12) + 7)  # 4.3e-5, of which 1 - p keeps three digits in float32
    expected = missing**2 * -math.log1p(-missing)
    assert Focal()(outputs, torch.tensor([3]), YEARS[:1]).item() == pytest.approx(expected, rel=1e-3)


def test_the_gradient_is_that_of_the_formula_by_differences(batch: tuple[Tensor, Tensor]) -> None:
    outputs = batch[0].double().requires_grad_()
    group = batch[1]
    assert torch.autograd.gradcheck(lambda logits: Focal()(logits, group, YEARS), outputs)


@pytest.mark.parametrize("gamma", [-0.5, math.nan, math.inf, "two"])
def test_a_gamma_out_of_range_is_refused(gamma: float) -> None:
    with pytest.raises(InputError) as refused:
        Focal(gamma=gamma)
    assert str(refused.value) == f"loss.gamma={gamma}: choose a number of at least 0, such as 2"
