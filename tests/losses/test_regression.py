"""Regression of the age in years."""

from collections import Counter

import numpy as np
import pytest
import torch
from preparing import prepare
from torch import Tensor

from agegender.labels import SCHEMES, age_groups
from agegender.losses.regression import Regression
from agegender.system.errors import InputError


def prepared(ages: list[int], scheme: str = "closed", norm: str = "l1") -> Regression:
    """Make a method that has seen training images of these ages."""
    return prepare(Regression(norm=norm), Counter(ages), scheme)


def output_for(method: Regression, years: list[float]) -> Tensor:
    """Return the outputs (B, 1) that mean these years."""
    return ((torch.tensor(years) - method.mean_years) / method.std_years)[:, None]


def test_years_are_standardized_by_the_training_ages() -> None:
    ages = [1, 1, 16, 30, 116]
    method = prepared(ages)
    assert method.mean_years.item() == pytest.approx(np.mean(ages))
    assert method.std_years.item() == pytest.approx(np.std(ages))


def test_ages_that_the_scheme_drops_are_not_standardized_by() -> None:
    method = prepared([10, 30, 23, 23, 59], "strict")
    assert (method.mean_years.item(), method.std_years.item()) == (20.0, 10.0)


@pytest.mark.parametrize(("ages", "mean"), [([33, 33], 33.0), ([], 0.0)])
def test_ages_without_deviation_are_only_centred(ages: list[int], mean: float) -> None:
    method = prepared(ages)
    assert (method.mean_years.item(), method.std_years.item()) == (mean, 1.0)


@pytest.mark.parametrize(("norm", "by_hand"), [("l1", (0.5 + 1 + 10.6) / 3), ("mse", (0.25 + 1 + 10.6**2) / 3)])
def test_the_loss_is_the_error_in_standard_deviations(norm: str, by_hand: float) -> None:
    method = prepared([10, 30], norm=norm)  # mean 20, deviation 10: 0, 25 and 116 years are -2, 0.5 and 9.6
    outputs = torch.tensor([[-1.0], [0.0], [-1.0]])
    loss = method(outputs, torch.tensor([0, 4, 7]), torch.tensor([0, 25, 116]))
    assert loss.item() == pytest.approx(by_hand) and loss.shape == ()


@pytest.mark.parametrize("norm", ["l1", "mse"])
def test_the_gradient_is_that_of_finite_differences(norm: str) -> None:
    method = prepared([10, 30], norm=norm).double()
    outputs = torch.tensor([[-1.0], [0.3], [0.7]], dtype=torch.float64, requires_grad=True)
    group = torch.tensor([0, 4, 7])
    years = torch.tensor([0, 25, 116])
    assert torch.autograd.gradcheck(lambda outputs: method(outputs, group, years), outputs)


def test_predicted_years_are_the_outputs_in_years_within_0_and_100() -> None:
    outputs = torch.tensor([[-100.0], [-2.5], [0.0], [0.55], [8.0], [9.6]])
    assert prepared([10, 30]).decode(outputs).years.tolist() == pytest.approx([0, 0, 20, 25.5, 100, 100])


def test_the_group_is_that_of_the_predicted_age_rounded_to_a_year() -> None:
    method = prepared([10, 30])  # closed groups: 0-2, 3-6, 7-12, 13-20, 21-32, 33-43, 44-53, 54+
    years = [0.0, 2.4, 2.5, 2.6, 20.5, 20.51, 53.4, 53.6, 100.0]
    group = method.decode(output_for(method, years)).group
    assert group.argmax(dim=1).tolist() == [0, 0, 0, 1, 3, 4, 6, 7, 7]  # a half goes to the younger


@pytest.mark.parametrize(
    ("years", "group"),
    [(23.0, 4), (22.4, 3), (22.5, 3), (22.6, 4), (56.0, 6), (57.0, 7), (3.0, 0), (3.2, 1), (14.0, 2), (14.1, 3)],
)
def test_an_age_without_a_group_has_that_of_the_nearest_age_with_one(years: float, group: int) -> None:
    method = prepared([10, 30], "strict")  # 0-2, 4-6, 8-13, 15-20, 25-32, 38-43, 48-53, 60+; ties to the younger
    assert method.decode(output_for(method, [years])).group.argmax(dim=1).item() == group


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_age_with_a_group_is_predicted_in_it_with_certainty(scheme: str) -> None:
    method = prepared([10, 30], scheme)
    groups = age_groups(scheme).group_of_age[:101]
    ages = np.flatnonzero(groups >= 0)
    group = method.decode(output_for(method, ages.tolist())).group
    assert group.argmax(dim=1).tolist() == groups[ages].tolist()
    assert group.sum(dim=1).eq(1).all() and group.max(dim=1).values.eq(1).all()


def test_a_loaded_state_predicts_as_the_method_did() -> None:
    method = prepared([10, 30, 41], "strict")
    again = Regression()
    again.load_state_dict(method.state_dict())
    outputs = torch.linspace(-3, 3, 50)[:, None]
    torch.testing.assert_close(again.decode(outputs), method.decode(outputs))


def test_it_has_one_output_and_years_of_its_own() -> None:
    assert Regression().num_outputs == 1 and not Regression().coarse_years


def test_an_unknown_norm_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(InputError, match=r"^loss\.norm=l2: .*l1, mse$"):
        Regression(norm="l2")


@pytest.mark.parametrize("scheme", ["closed", "strict"])
@pytest.mark.parametrize("norm", ["l1", "mse"])
def test_training_free_outputs_brings_years_and_groups_to_the_true_ones(norm: str, scheme: str) -> None:
    years = torch.tensor([0, 1, 17, 30, 80, 100])  # in the middle of their groups: an error of a year crosses no edge
    method = prepared(years.tolist(), scheme, norm)
    outputs = torch.zeros(len(years), 1, requires_grad=True)
    optimizer = torch.optim.Adam([outputs], lr=0.02)
    group = torch.from_numpy(age_groups(scheme).group_of_age)[years]
    for _ in range(200):
        optimizer.zero_grad()
        method(outputs, group, years).backward()
        optimizer.step()
    prediction = method.decode(outputs.detach())
    assert prediction.group.argmax(dim=1).tolist() == group.tolist()
    assert (prediction.years - years).abs().max().item() < 1
