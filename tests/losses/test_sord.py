"""The soft labels of Diaz & Marathe 2019, by hand and against dlordinal."""

import math

import pytest
import torch
from dlordinal.losses import SORDLoss
from torch import Tensor

from agegender.losses.cross_entropy import CrossEntropy
from agegender.losses.sord import Sord
from agegender.system.errors import InputError

COUNTS = torch.tensor([10.0, 20, 30, 40, 200, 100, 60, 340])
YEARS = torch.zeros(16, dtype=torch.int64)  # not read
GROUPS = torch.arange(8)


@pytest.mark.parametrize("group", range(8))
@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
@pytest.mark.parametrize(("metric", "power"), [("absolute", 1), ("squared", 2)])
def test_a_soft_label_falls_off_exponentially_with_the_distance(
    metric: str, power: int, scale: float, group: int
) -> None:
    by_hand = [math.exp(-scale * abs(k - group) ** power) for k in range(8)]
    label = Sord(metric=metric, scale=scale).soft_labels(torch.tensor([group]))[0]
    torch.testing.assert_close(label, torch.tensor(by_hand) / sum(by_hand))


def test_of_outputs_all_alike_the_loss_is_the_log_of_the_number_of_groups() -> None:
    loss = Sord()(torch.zeros(8, 8), GROUPS, YEARS[:8])
    assert loss.item() == pytest.approx(math.log(8))


def test_the_loss_is_least_where_the_softmax_is_the_soft_label() -> None:
    labels = Sord().soft_labels(GROUPS)
    outputs = labels.log().requires_grad_()
    loss = Sord()(outputs, GROUPS, YEARS[:8])
    loss.backward()
    entropy = -(labels * labels.log()).sum(dim=1).mean()
    torch.testing.assert_close(loss, entropy)
    torch.testing.assert_close(outputs.grad, torch.zeros(8, 8), rtol=0, atol=1e-7)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_loss_and_gradient_agree_with_dlordinal(batch: tuple[Tensor, Tensor], scale: float) -> None:
    found = []
    oracle = SORDLoss(alpha=scale, num_classes=8, train_targets=batch[1])
    for loss_of in (lambda outputs, group: Sord(scale=scale)(outputs, group, YEARS), oracle):
        outputs = batch[0].double().requires_grad_()
        loss = loss_of(outputs, batch[1])
        loss.backward()
        found.append((loss.detach(), outputs.grad))
    torch.testing.assert_close(found[0], found[1], rtol=1e-6, atol=1e-7)


def test_weighted_by_group_it_agrees_with_dlordinal(batch: tuple[Tensor, Tensor]) -> None:
    method = Sord(weighting="inverse")
    method.group_counts.copy_(COUNTS)
    oracle = SORDLoss(alpha=1.0, num_classes=8, train_targets=batch[1], weight=100 / COUNTS)  # eq. 1
    torch.testing.assert_close(method(*batch, YEARS).double(), oracle(*batch))


@pytest.mark.parametrize("metric", ["absolute", "squared"])
def test_with_a_large_scale_it_is_the_cross_entropy(batch: tuple[Tensor, Tensor], metric: str) -> None:
    torch.testing.assert_close(Sord(metric=metric, scale=100.0)(*batch, YEARS), CrossEntropy()(*batch, YEARS))


def test_an_error_of_one_group_costs_less_than_one_of_five() -> None:
    outputs = torch.zeros(2, 8)
    outputs[0, 3] = outputs[1, 7] = 4.0
    near, far = (Sord()(outputs[i : i + 1], torch.tensor([2]), YEARS[:1]).item() for i in (0, 1))
    assert near < far


def test_an_unknown_metric_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(InputError, match=r"^loss\.metric=cubic: choose one of absolute, squared$"):
        Sord(metric="cubic")


@pytest.mark.parametrize("scale", [0.0, -1.0, math.nan, math.inf])
def test_a_scale_that_is_not_above_zero_is_refused(scale: float) -> None:
    with pytest.raises(InputError) as refused:
        Sord(scale=scale)
    assert str(refused.value) == f"loss.scale={scale}: choose a number above 0, such as 1"
