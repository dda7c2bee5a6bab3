"""What all methods with ages as classes share: groups and years of the logits, imbalance, precision."""

import math

import numpy as np
import pytest
import torch
from preparing import prepare
from scipy.special import softmax
from torch import Tensor

from agegender.labels import NUM_GROUPS, SCHEMES, age_groups
from agegender.losses.age_classes import AgeClasses
from agegender.losses.dex import Dex
from agegender.losses.group_distribution import GroupDistribution
from agegender.losses.label_distribution import LabelDistribution
from agegender.losses.mean_variance import MeanVariance
from agegender.system.errors import InputError

METHODS = (Dex, LabelDistribution, MeanVariance, GroupDistribution)
EDGES = (0, 1, 20, 45, 99, 100, 116)  # years; in every scheme each has a group, but 45 in the strict one


def prepared(kind: type[AgeClasses], scheme: str = "closed", **options: object) -> AgeClasses:
    """Make a method that has seen one image of age 1, three of 16, four of 30, eight of 70: groups 0, 3, 4, 7."""
    return prepare(kind(**options), {1: 1, 16: 3, 30: 4, 70: 8}, scheme)


def logits_of(probability_of_age: dict[int, float]) -> Tensor:
    """Return logits (1, Y) of ages with these probabilities; other ages have almost none."""
    outputs = torch.full((1, 101), -1e4)
    for age, probability in probability_of_age.items():
        outputs[0, age] = math.log(probability)
    return outputs


def batch(scheme: str = "closed") -> tuple[Tensor, Tensor, Tensor]:
    """Return outputs, groups and years of faces at the edges of the age range, if the scheme keeps them."""
    groups = age_groups(scheme).group_of_age
    years = np.array([age for age in EDGES if groups[age] >= 0])
    torch.manual_seed(0)
    return 3 * torch.randn(len(years), 101), torch.from_numpy(groups[years]), torch.from_numpy(years)


@pytest.mark.parametrize("kind", METHODS)
def test_a_method_has_an_output_for_each_age_to_100_and_years_of_its_own(kind: type[AgeClasses]) -> None:
    assert kind().num_outputs == 101 and not kind().coarse_years


def test_the_probability_of_a_group_is_the_sum_of_its_ages() -> None:
    outputs = logits_of({1: 0.1, 12: 0.2, 13: 0.3, 20: 0.15, 100: 0.25})  # 13-20 is the fourth group
    group = prepared(Dex).decode(outputs).group
    torch.testing.assert_close(group, torch.tensor([[0.1, 0, 0.2, 0.45, 0, 0, 0, 0.25]]))


def test_an_age_that_the_scheme_drops_gives_its_probability_to_the_others() -> None:
    outputs = logits_of({1: 0.1, 23: 0.5, 30: 0.4})  # no strict group holds 23
    prediction = prepared(Dex, "strict").decode(outputs)
    torch.testing.assert_close(prediction.group, torch.tensor([[0.2, 0, 0, 0, 0.8, 0, 0, 0]]))
    assert prediction.years.item() == pytest.approx(0.1 + 0.5 * 23 + 0.4 * 30, rel=1e-5)


def test_a_prediction_of_a_dropped_age_alone_still_has_groups() -> None:
    group = prepared(Dex, "strict").decode(logits_of({23: 1.0})).group
    assert group.sum().item() == pytest.approx(1.0)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("kind", METHODS)
def test_groups_and_years_are_those_of_the_softmax(kind: type[AgeClasses], scheme: str) -> None:
    outputs, *_ = batch(scheme)
    prediction = prepared(kind, scheme).decode(outputs)
    probabilities = softmax(outputs.double().numpy(), axis=1)
    groups = age_groups(scheme).group_of_age[:101]
    sums = np.stack([probabilities[:, groups == group].sum(axis=1) for group in range(NUM_GROUPS)], axis=1)
    np.testing.assert_allclose(prediction.group, sums / sums.sum(axis=1, keepdims=True), rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(prediction.years, probabilities @ np.arange(101), rtol=1e-5)
    median = prepared(kind, scheme, years="median").decode(outputs).years
    below = np.concatenate(
        [np.zeros((len(outputs), 1)), probabilities.cumsum(axis=1)], axis=1
    )  # age x begins at x - 0.5
    expected = [np.interp(0.5, row, np.arange(102) - 0.5) for row in below]
    np.testing.assert_allclose(median, expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("probabilities", "median"),
    [({30: 1.0}, 30.0), ({0: 1.0}, 0.0), ({20: 0.25, 21: 0.25, 60: 0.5}, 21.5), ({5: 0.4, 80: 0.6}, 79.5 + 1 / 6)],
)
def test_the_median_age_is_where_half_of_the_probability_lies_below(
    probabilities: dict[int, float], median: float
) -> None:
    assert prepared(Dex, years="median").decode(logits_of(probabilities)).years.item() == pytest.approx(
        median, abs=1e-4
    )


def test_years_are_told_when_unknown() -> None:
    with pytest.raises(InputError, match=r"loss\.years=mode: choose one of expectation, median"):
        Dex(years="mode")


@pytest.mark.parametrize("kind", METHODS)
def test_a_face_older_than_100_is_trained_as_one_of_100(kind: type[AgeClasses]) -> None:
    method = prepared(kind)
    outputs = torch.randn(1, 101)
    group = torch.tensor([7])
    assert method(outputs, group, torch.tensor([116])) == method(outputs, group, torch.tensor([100]))


@pytest.mark.parametrize("scheme", ["closed", "strict"])
@pytest.mark.parametrize("kind", METHODS)
def test_the_gradient_is_that_of_finite_differences(kind: type[AgeClasses], scheme: str) -> None:
    outputs, group, years = batch(scheme)
    method = prepared(kind, scheme, logit_adjustment=1.0).double()
    outputs = outputs[:3].double().requires_grad_()
    assert torch.autograd.gradcheck(lambda outputs: method(outputs, group[:3], years[:3]), outputs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("scheme", ["closed", "strict"])
@pytest.mark.parametrize("kind", METHODS)
def test_huge_logits_have_a_finite_loss_and_gradient(kind: type[AgeClasses], scheme: str, dtype: torch.dtype) -> None:
    _, group, years = batch(scheme)
    outputs = torch.zeros(len(years), 101, dtype=dtype)
    outputs[:, 50] = 1e4
    outputs[:, 60:] = -1e4
    outputs.requires_grad_()
    loss = prepared(kind, scheme)(outputs, group, years)
    loss.backward()
    assert loss.isfinite() and outputs.grad is not None and outputs.grad.isfinite().all()


@pytest.mark.parametrize("kind", METHODS)
def test_mixed_precision_rounds_neither_the_loss_nor_the_prediction(kind: type[AgeClasses]) -> None:
    method = prepared(kind)
    outputs, group, years = batch()
    exact = method.decode(outputs)
    loss = method(outputs, group, years)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = method.decode(outputs)
        mixed_loss = method(outputs, group, years)
    torch.testing.assert_close((mixed.group, mixed.years, mixed_loss), (exact.group, exact.years, loss))


@pytest.mark.parametrize("kind", METHODS)
def test_a_weighted_batch_of_one_group_has_the_weight_times_the_plain_loss(kind: type[AgeClasses]) -> None:
    outputs = torch.randn(3, 101)
    group = torch.full((3,), 3)
    years = torch.tensor([13, 16, 20])
    plain = prepared(kind)(outputs, group, years)
    # Four groups occur in 16 images, 4 in the mean; three of them are of this group.
    torch.testing.assert_close(prepared(kind, weighting="inverse")(outputs, group, years), plain * 4 / 3)


@pytest.mark.parametrize("kind", METHODS)
def test_the_loss_sees_logits_with_the_log_prior_of_their_group_added(kind: type[AgeClasses]) -> None:
    shares = {0: 1 / 16, 3: 3 / 16, 4: 4 / 16, 7: 8 / 16}  # a group never seen is left as it is
    shift = torch.tensor([math.log(shares.get(group, 1.0)) for group in age_groups("closed").group_of_age[:101]])
    outputs, group, years = batch()
    expected = prepared(kind)(outputs + 0.5 * shift, group, years)
    torch.testing.assert_close(prepared(kind, logit_adjustment=0.5)(outputs, group, years), expected)


@pytest.mark.parametrize("adjust", ["training", "prediction"])
def test_the_prior_is_taken_out_of_the_group_and_left_in_the_years(adjust: str) -> None:
    method = prepared(Dex, logit_adjustment=1.0, adjust=adjust)
    natural = {1: 0.1, 16: 0.2, 30: 0.3, 70: 0.4}
    balanced = {1: 0.1 * 16, 16: 0.2 * 16 / 3, 30: 0.3 * 4, 70: 0.4 * 2}  # over the groups' shares
    prediction = method.decode(logits_of(balanced if adjust == "training" else natural))
    expected = torch.tensor(list(balanced.values())) / sum(balanced.values())
    torch.testing.assert_close(prediction.group[0, [0, 3, 4, 7]], expected)
    assert prediction.years.item() == pytest.approx(sum(age * share for age, share in natural.items()), rel=1e-5)


@pytest.mark.parametrize("kind", METHODS)
def test_a_loaded_state_predicts_and_weighs_as_the_method_did(kind: type[AgeClasses]) -> None:
    options = {"weighting": "sqrt", "logit_adjustment": 1.0, "adjust": "prediction"}
    method = prepared(kind, "strict", **options)
    again = kind(**options)
    outputs, group, years = batch("strict")
    again.load_state_dict(method.state_dict())
    torch.testing.assert_close(again.decode(outputs), method.decode(outputs))
    assert again(outputs, group, years) == method(outputs, group, years)


@pytest.mark.parametrize("kind", METHODS)
def test_the_state_holds_what_was_learned_of_the_training_set_alone(kind: type[AgeClasses]) -> None:
    assert set(kind().state_dict()) == {"group_counts", "group_years", "group_of_age"}


@pytest.mark.parametrize("scheme", ["closed", "strict"])
@pytest.mark.parametrize("kind", METHODS)
def test_training_free_logits_brings_years_and_groups_to_the_true_ones(kind: type[AgeClasses], scheme: str) -> None:
    method = prepared(kind, scheme)
    _, group, years = batch(scheme)
    outputs = torch.zeros(len(years), 101, requires_grad=True)
    optimizer = torch.optim.Adam([outputs], lr=0.2)
    for _ in range(200):
        optimizer.zero_grad()
        method(outputs, group, years).backward()
        optimizer.step()
    prediction = method.decode(outputs.detach())
    assert prediction.group.argmax(dim=1).tolist() == group.tolist()
    assert (prediction.years - years.clamp(max=100)).abs().max().item() < 1
