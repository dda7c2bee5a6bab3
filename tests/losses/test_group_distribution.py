"""Label distribution learning with the groups' cross-entropy."""

import math

import pytest
import torch
from preparing import prepare
from torch import Tensor
from torch.nn import functional

from agegender.labels import SCHEMES, age_groups
from agegender.losses.group_distribution import GroupDistribution
from agegender.losses.label_distribution import LabelDistribution
from agegender.system.errors import InputError

YEARS = torch.tensor([0, 1, 15, 20, 30, 50, 100, 116])  # in every scheme each has a group


def prepared(
    kind: type[LabelDistribution] = GroupDistribution, scheme: str = "closed", **options: object
) -> LabelDistribution:
    """Make a method that has seen one image of each age from 0 to 100."""
    return prepare(kind(**options), dict.fromkeys(range(101), 1), scheme)  # pyright: ignore[reportArgumentType]


def groups_of(years: Tensor, scheme: str = "closed") -> Tensor:
    return torch.from_numpy(age_groups(scheme).group_of_age)[years]


@pytest.fixture
def outputs() -> Tensor:
    torch.manual_seed(0)
    return 3 * torch.randn(len(YEARS), 101)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("group_weight", [0.5, 1.0, 3.0])
def test_the_groups_cross_entropy_of_the_predicted_probabilities_is_added(
    outputs: Tensor, group_weight: float, scheme: str
) -> None:
    method = prepared(scheme=scheme, group_weight=group_weight)
    group = groups_of(YEARS, scheme)
    cross_entropy = functional.nll_loss(method.decode(outputs.double()).group.log(), group)
    expected = prepared(LabelDistribution, scheme)(outputs, group, YEARS) + group_weight * cross_entropy
    torch.testing.assert_close(method(outputs, group, YEARS), expected.float())


def test_without_weight_of_the_groups_it_is_label_distribution_learning(outputs: Tensor) -> None:
    options = {"sigma": 3.0, "expectation_weight": 0.5}
    group = groups_of(YEARS)
    expected = prepared(LabelDistribution, **options)(outputs, group, YEARS)
    assert prepared(group_weight=0.0, **options)(outputs, group, YEARS) == expected


def test_equal_logits_cost_the_group_its_share_of_the_ages() -> None:
    outputs = torch.zeros(1, 101)
    group = torch.tensor([3])  # 13-20: 8 of 101 ages
    years = torch.tensor([15])
    added = prepared()(outputs, group, years) - prepared(LabelDistribution)(outputs, group, years)
    assert added.item() == pytest.approx(math.log(101 / 8), rel=1e-5)


def test_equal_logits_cost_the_group_its_share_of_the_ages_that_the_scheme_keeps() -> None:
    outputs = torch.zeros(1, 101)
    group = torch.tensor([3])
    years = torch.tensor([15])
    added = prepared(scheme="strict")(outputs, group, years) - prepared(LabelDistribution)(outputs, group, years)
    kept = 3 + 3 + 6 + 6 + 8 + 6 + 6 + 41  # ages of Adience's groups to 100; 15-20 are 6
    assert added.item() == pytest.approx(math.log(kept / 6), rel=1e-5)


def test_a_group_of_next_to_no_probability_costs_its_logit_and_pulls_at_its_ages() -> None:
    outputs = torch.zeros(1, 101)
    outputs[0, :54] = -500.0  # all of the groups below 54 years underflow
    outputs.requires_grad_()
    method = prepared(expectation_weight=0.0)
    loss = method.group_losses(outputs.log_softmax(dim=1), torch.tensor([3]))
    assert loss.item() == pytest.approx(500 + math.log(47 / 8), rel=1e-5)  # 47 ages from 54 to 100, 8 from 13 to 20
    loss.backward()
    expected = torch.zeros(101)
    expected[13:21] = -1 / 8
    expected[54:] = 1 / 47
    torch.testing.assert_close(outputs.grad, expected[None])


def test_the_groups_prior_is_added_to_the_logits_of_their_ages(outputs: Tensor) -> None:
    sizes = torch.tensor([3, 4, 6, 8, 12, 11, 10, 47])  # images of the closed groups
    shift = (sizes / 101).log()[groups_of(torch.arange(101))]
    method = prepared(logit_adjustment=1.0)
    group = groups_of(YEARS)
    torch.testing.assert_close(method(outputs, group, YEARS), prepared()(outputs + shift, group, YEARS))


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf, "much"])
def test_a_weight_out_of_its_range_is_refused_in_one_line(value: object) -> None:
    with pytest.raises(InputError, match=rf"^loss\.group_weight={value}: [^\n]*such as"):
        GroupDistribution(group_weight=value)  # pyright: ignore[reportArgumentType]
