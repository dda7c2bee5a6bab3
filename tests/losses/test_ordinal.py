"""What the ordinal methods share: the questions, the years, the groups; and that all four of them learn."""

import numpy as np
import pytest
import torch
from coral_pytorch.dataset import levels_from_labelbatch, proba_to_label
from preparing import prepare
from torch import Tensor

from agegender.labels import SCHEMES, age_groups
from agegender.losses.coral import Coral
from agegender.losses.corn import Corn
from agegender.losses.or_cnn import OrCnn
from agegender.losses.ordinal import Ordinal
from agegender.losses.ranking_cnn import RankingCnn

METHODS = [OrCnn, Coral, Corn, RankingCnn]


def prepared(scheme: str = "closed", make: type[Ordinal] = OrCnn) -> Ordinal:
    """Make a method that has seen 10 images of each age with a group."""
    ages = np.flatnonzero(age_groups(scheme).group_of_age >= 0).tolist()
    return prepare(make(), dict.fromkeys(ages, 10), scheme)


def older_of(mass: dict[int, float]) -> Tensor:
    """Return P(y > k), (1, 100), of a face whose age has these probabilities."""
    return torch.tensor([[sum(p for age, p in mass.items() if age > k) for k in range(100)]])


def groups_of(mass: dict[int, float], scheme: str = "closed") -> list[float]:
    """Return the probabilities of the groups of such a face."""
    return prepared(scheme).decode(older_of(mass).logit()).group[0].tolist()


@pytest.mark.parametrize(("years", "num_yes"), [(0, 0), (1, 1), (42, 42), (99, 99), (100, 100), (101, 100), (116, 100)])
def test_a_face_is_older_than_every_age_below_its_own(years: int, num_yes: int) -> None:
    answers = OrCnn().older(torch.tensor([years]))
    assert answers.tolist() == [[1.0] * num_yes + [0.0] * (100 - num_yes)]


def test_the_true_answers_are_coral_pytorchs_levels() -> None:
    years = torch.arange(101)
    assert OrCnn().older(years).equal(levels_from_labelbatch(years, 101))


def test_the_years_are_coral_pytorchs_rank_even_of_answers_that_contradict_each_other() -> None:
    torch.manual_seed(0)
    outputs = torch.randn(64, 100)
    assert prepared().decode(outputs).years.tolist() == proba_to_label(outputs.sigmoid()).tolist()


@pytest.mark.parametrize("age", [0, 1, 18, 99, 100])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_face_whose_age_is_certain_has_these_years_and_its_group(scheme: str, age: int) -> None:
    decoded = prepared(scheme).decode(OrCnn().older(torch.tensor([age])) * 40 - 20)
    assert decoded.years.tolist() == [age]
    assert decoded.group[0, age_groups(scheme).group_of_age[age]].item() == pytest.approx(1, abs=1e-5)


def test_the_probability_of_a_group_is_that_of_its_ages() -> None:
    mass = {0: 0.05, 2: 0.05, 3: 0.1, 20: 0.2, 21: 0.25, 32: 0.05, 54: 0.1, 100: 0.2}
    assert groups_of(mass) == pytest.approx([0.1, 0.1, 0, 0.2, 0.3, 0, 0, 0.3], abs=1e-6)


def test_the_probability_of_ages_that_the_scheme_drops_is_shared_in_proportion() -> None:
    mass = {19: 0.1, 22: 0.4, 24: 0.2, 25: 0.3}  # strict drops 21 to 24
    assert groups_of(mass, "strict") == pytest.approx([0, 0, 0, 0.25, 0.75, 0, 0, 0], abs=1e-6)


@pytest.mark.parametrize(("age", "group"), [(3, 0), (7, 1), (22, 3), (23, 4), (35, 4), (36, 5), (57, 7)])
def test_a_face_with_none_but_dropped_ages_is_given_to_the_nearest_group(age: int, group: int) -> None:
    # Of strict's 0-2, 4-6, 8-13, 15-20, 25-32, 38-43, 48-53, 60+; of two equally near the younger.
    assert groups_of({age: 1.0}, "strict") == [float(group == own) for own in range(8)]


def test_a_group_that_contradictory_answers_make_negative_has_probability_0() -> None:
    outputs = OrCnn().older(torch.tensor([30])) * 40 - 20
    outputs[0, 43] = 20.0  # older than 43, where the group 44-53 begins, but not than 42 or 53
    # 33-43 has P(y > 32) - P(y > 43) = -1; 21-32 and 44-53 have 1 each.
    decoded = prepared().decode(outputs)
    assert decoded.years.tolist() == [31]
    assert decoded.group[0].tolist() == pytest.approx([0, 0, 0, 0, 0.5, 0, 0.5, 0], abs=1e-6)


def test_contradictions_within_a_group_do_not_add_to_its_probability() -> None:
    older = older_of({10: 0.5, 80: 0.5})
    older[0, 55:79] += torch.tensor([0.1, -0.1] * 12)
    group = prepared().decode(older.logit()).group[0]
    assert group.tolist() == pytest.approx([0, 0, 0.5, 0, 0, 0, 0, 0.5], abs=1e-6)


@pytest.mark.parametrize("scale", [0.0, 1.0, 30.0, 1e4, 1e30])
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("make", METHODS)
def test_probabilities_sum_to_1_and_years_are_in_range_whatever_the_outputs(
    make: type[Ordinal], scheme: str, scale: float
) -> None:
    torch.manual_seed(0)
    method = prepared(scheme, make)
    decoded = method.decode(torch.randn(32, method.num_outputs) * scale)
    torch.testing.assert_close(decoded.group.sum(dim=1), torch.ones(32))
    assert decoded.group.min() >= 0 and decoded.years.min() >= 0 and decoded.years.max() <= 100
    assert decoded.group.dtype == decoded.years.dtype == torch.float32


@pytest.mark.parametrize("make", METHODS)
def test_mixed_precision_changes_nothing_as_the_outputs_are_float32(make: type[Ordinal]) -> None:
    torch.manual_seed(0)
    method = prepared(make=make)
    years = torch.randint(117, (16,))
    outputs = torch.randn(16, method.num_outputs) * 4
    loss = method(outputs, years, years)
    decoded = method.decode(outputs)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert method(outputs, years, years).equal(loss)
        again = method.decode(outputs)
    assert again.group.equal(decoded.group) and again.years.equal(decoded.years)


@pytest.mark.parametrize("make", METHODS)
def test_loss_and_gradient_are_finite_at_outputs_of_any_size(make: type[Ordinal]) -> None:
    method = prepared(make=make)
    years = torch.tensor([0, 100, 116])
    for scale in (0.0, 1e4, -1e4):
        outputs = torch.full((3, method.num_outputs), scale, requires_grad=True)
        loss = method(outputs, years, years)
        loss.backward()
        assert outputs.grad is not None and loss.isfinite() and outputs.grad.isfinite().all()


@pytest.mark.parametrize("make", METHODS)
def test_300_steps_find_the_years_and_the_group_of_every_face(make: type[Ordinal]) -> None:
    torch.manual_seed(0)
    method = prepared(make=make)
    years = torch.tensor([0, 1, 5, 10, 18, 27, 38, 50, 70, 99, 100, 116])
    group = torch.from_numpy(age_groups("closed").group_of_age)[years]
    outputs = torch.zeros(len(years), method.num_outputs, requires_grad=True)
    optimizer = torch.optim.Adam([outputs, *method.parameters()], lr=0.3)
    for _ in range(300):
        optimizer.zero_grad()
        method(outputs, group, years).backward()
        optimizer.step()
    decoded = method.decode(outputs)
    assert (decoded.years - years.clamp(max=100)).abs().max() <= 1
    assert decoded.group.argmax(dim=1).equal(group)
