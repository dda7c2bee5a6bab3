"""The options against the imbalance of the age groups, which all methods that classify share."""

import math
from collections.abc import Callable
from fractions import Fraction

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from agegender.labels import NUM_YEARS, age_groups
from agegender.losses.classification import Classification
from agegender.losses.cross_entropy import CrossEntropy
from agegender.losses.focal import Focal
from agegender.losses.sord import Sord
from agegender.system.errors import InputError

COUNTS = (10, 20, 30, 40, 200, 100, 60, 340)  # training images of the groups; 800, their mean is 100
METHODS = (CrossEntropy, Focal, Sord)
YEARS = torch.zeros(16, dtype=torch.int64)  # no method of groups reads them

each_method = pytest.mark.parametrize("method", METHODS)


class Years(CrossEntropy):
    """A method whose classes are ages in years, of which the scheme `strict` drops some."""

    def class_groups(self) -> Tensor:
        return torch.from_numpy(age_groups("strict").group_of_age)[:NUM_YEARS]


def prepared(method: Classification, counts: tuple[int, ...] = COUNTS) -> Classification:
    """Set a method's numbers of training images, and a median age for each group, and return it."""
    method.group_counts.copy_(torch.tensor(counts))
    method.group_years.copy_(torch.tensor([1, 5, 10, 17, 27, 38, 48, 65]))
    return method


def weights(counts: tuple[int, ...] = COUNTS, **options: object) -> Tensor:
    return prepared(CrossEntropy(**options), counts).class_weights()


def mean_over_images(weight: Tensor, counts: tuple[int, ...] = COUNTS) -> float:
    return float(weight @ torch.tensor(counts).float() / sum(counts))


def effective_by_definition(beta: Fraction, counts: tuple[int, ...] = COUNTS) -> Tensor:
    """Return weights by Cui et al.'s effective number, the exact sum 1 + beta + beta^2 + ...; 1 in the images' mean."""
    inverse = [1 / sum((beta**power for power in range(count)), Fraction(0)) for count in counts]
    scale = sum(counts) / sum(weight * count for weight, count in zip(inverse, counts, strict=True))
    return torch.tensor([float(weight * scale) for weight in inverse])


def log_prior() -> Tensor:
    return torch.tensor([math.log(count / 800) for count in COUNTS])


def test_without_weighting_every_group_weighs_one() -> None:
    assert weights().tolist() == [1.0] * 8


def test_the_inverse_weight_of_a_group_is_the_mean_count_over_its_own() -> None:
    by_hand = torch.tensor([10.0, 5.0, 100 / 30, 2.5, 0.5, 1.0, 100 / 60, 100 / 340])  # eq. 1: E(m) / m_i
    torch.testing.assert_close(weights(weighting="inverse"), by_hand)


def test_the_weights_of_two_groups_stand_as_the_roots_of_their_counts() -> None:
    weight = weights(weighting="sqrt")
    assert float(weight[0] / weight[3]) == pytest.approx(2.0)  # 10 and 40 images
    assert float(weight[1] / weight[4]) == pytest.approx(math.sqrt(10))  # 20 and 200


@pytest.mark.parametrize("beta", ["0.9", "0.99", "0.999", "0.9999"])
def test_the_effective_weight_is_one_over_the_sum_of_the_powers_of_beta(beta: str) -> None:
    weight = weights(weighting="effective", effective_beta=float(beta))
    torch.testing.assert_close(weight, effective_by_definition(Fraction(beta)))


def test_an_effective_number_with_a_beta_of_zero_weighs_all_groups_alike() -> None:
    torch.testing.assert_close(weights(weighting="effective", effective_beta=0.0), torch.ones(8))


@pytest.mark.parametrize("nines", [6, 8, 12])
def test_an_effective_number_with_a_beta_near_one_weighs_like_the_inverse(nines: int) -> None:
    weight = weights(weighting="effective", effective_beta=1 - 10**-nines)
    torch.testing.assert_close(weight, weights(weighting="inverse"), rtol=1e-3, atol=0)


@pytest.mark.parametrize("weighting", ["inverse", "sqrt", "effective"])
@pytest.mark.parametrize("counts", [COUNTS, (0, *COUNTS[1:]), (0, 0, 3, 0, 0, 0, 0, 9000), (7,) * 8])
def test_every_weighting_is_one_in_the_mean_over_the_training_images(weighting: str, counts: tuple[int, ...]) -> None:
    assert mean_over_images(weights(counts, weighting=weighting), counts) == pytest.approx(1.0)


@pytest.mark.parametrize("weighting", ["inverse", "sqrt", "effective"])
def test_a_rarer_group_weighs_more(weighting: str) -> None:
    by_count = weights(weighting=weighting)[torch.tensor(COUNTS).argsort()]
    assert (by_count.diff() < 0).all()


@pytest.mark.parametrize("weighting", ["inverse", "sqrt", "effective"])
def test_a_group_without_training_images_weighs_nothing(weighting: str) -> None:
    weight = weights((0, *COUNTS[1:]), weighting=weighting)
    assert weight[0] == 0 and (weight[1:] > 0).all() and weight.isfinite().all()


@pytest.mark.parametrize("weighting", ["inverse", "sqrt", "effective"])
def test_before_it_looked_at_a_training_set_no_group_has_an_infinite_weight(weighting: str) -> None:
    assert CrossEntropy(weighting=weighting).class_weights().tolist() == [0.0] * 8


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
@pytest.mark.parametrize("weighting", ["none", "inverse", "sqrt", "effective"])
def test_a_method_in_another_precision_weighs_alike(weighting: str, dtype: torch.dtype) -> None:
    found = prepared(CrossEntropy(weighting=weighting)).to(dtype).class_weights()
    torch.testing.assert_close(found, weights(weighting=weighting), rtol=2**-7, atol=0)  # counts rounded to bfloat16


@each_method
@pytest.mark.parametrize("weighting", ["inverse", "sqrt", "effective"])
def test_a_batch_of_one_group_has_its_plain_loss_times_the_weight(
    method: Callable[..., Classification], weighting: str
) -> None:
    torch.manual_seed(0)
    outputs = torch.randn(16, 8)
    group = torch.full((16,), 3)
    weighted = prepared(method(weighting=weighting))
    plain = prepared(method())(outputs, group, YEARS)
    torch.testing.assert_close(weighted(outputs, group, YEARS), plain * weighted.class_weights()[3])


@each_method
def test_normalized_by_weights_a_batch_of_one_group_has_its_plain_loss(method: Callable[..., Classification]) -> None:
    torch.manual_seed(0)
    outputs = torch.randn(16, 8)
    group = torch.full((16,), 3)
    weighted = prepared(method(weighting="inverse", normalization="weights"))
    torch.testing.assert_close(weighted(outputs, group, YEARS), prepared(method())(outputs, group, YEARS))


@each_method
@pytest.mark.parametrize("adjust", ["training", "prediction"])
def test_without_logit_adjustment_it_is_of_no_consequence_where_it_is_done(
    method: Callable[..., Classification], adjust: str, batch: tuple[Tensor, Tensor]
) -> None:
    plain = prepared(method())
    other = prepared(method(logit_adjustment=0.0, adjust=adjust))
    assert torch.equal(plain(*batch, YEARS), other(*batch, YEARS))
    assert torch.equal(plain.decode(batch[0]).group, other.decode(batch[0]).group)


@pytest.mark.parametrize("tau", [0.5, 1.0, 2.0])
def test_adjusted_in_training_the_loss_is_that_of_the_logits_plus_tau_times_the_log_prior(
    tau: float, batch: tuple[Tensor, Tensor]
) -> None:
    outputs, group = batch
    loss = prepared(CrossEntropy(logit_adjustment=tau))(outputs, group, YEARS)
    torch.testing.assert_close(loss, functional.cross_entropy(outputs + tau * log_prior(), group))


@each_method
def test_adjusted_in_training_the_loss_sees_other_logits(
    method: Callable[..., Classification], batch: tuple[Tensor, Tensor]
) -> None:
    outputs, group = batch
    adjusted = prepared(method(logit_adjustment=1.5))(outputs, group, YEARS)
    torch.testing.assert_close(adjusted, prepared(method())(outputs + 1.5 * log_prior(), group, YEARS))


@each_method
def test_adjusted_in_training_the_prediction_is_the_softmax_of_the_outputs(
    method: Callable[..., Classification], batch: tuple[Tensor, Tensor]
) -> None:
    found = prepared(method(logit_adjustment=1.0)).decode(batch[0])
    assert torch.equal(found.group, batch[0].softmax(dim=1))


@each_method
@pytest.mark.parametrize("tau", [0.5, 1.0])
def test_adjusted_in_the_prediction_it_is_the_softmax_of_the_outputs_less_tau_times_the_log_prior(
    method: Callable[..., Classification], tau: float, batch: tuple[Tensor, Tensor]
) -> None:
    found = prepared(method(logit_adjustment=tau, adjust="prediction")).decode(batch[0])
    torch.testing.assert_close(found.group, (batch[0] - tau * log_prior()).softmax(dim=1))


@each_method
def test_adjusted_in_the_prediction_the_loss_is_the_plain_one(
    method: Callable[..., Classification], batch: tuple[Tensor, Tensor]
) -> None:
    adjusted = prepared(method(logit_adjustment=1.0, adjust="prediction"))
    assert torch.equal(adjusted(*batch, YEARS), prepared(method())(*batch, YEARS))


def test_outputs_that_are_the_log_prior_are_adjusted_to_groups_all_as_likely() -> None:
    found = prepared(CrossEntropy(logit_adjustment=1.0, adjust="prediction")).decode(log_prior()[None])
    torch.testing.assert_close(found.group, torch.full((1, 8), 1 / 8))


def test_the_age_is_that_of_the_group_that_is_likeliest_once_adjusted() -> None:
    outputs = torch.tensor([[0.0, 0, 0, 0, 0, 0, 0, 1.0]])
    assert prepared(CrossEntropy()).decode(outputs).years.item() == 65
    # The prior of the first group is 1 / 80, of the last 17 / 40: log 34 > 1.
    assert prepared(CrossEntropy(logit_adjustment=1.0, adjust="prediction")).decode(outputs).years.item() == 1


@pytest.mark.parametrize("adjust", ["training", "prediction"])
def test_a_group_without_training_images_is_not_adjusted(adjust: str) -> None:
    method = prepared(CrossEntropy(logit_adjustment=1.0, adjust=adjust), (0, *COUNTS[1:-1], 350))
    outputs = torch.ones(2, 8)
    seen = method.trained_logits(outputs) - method.balanced_logits(outputs)
    by_hand = [0.0, *(math.log(count / 800) for count in (*COUNTS[1:-1], 350))]
    torch.testing.assert_close(seen, torch.tensor([by_hand] * 2))


def test_a_class_of_no_group_is_not_adjusted_and_the_others_have_their_groups_prior() -> None:
    method = prepared(Years(logit_adjustment=1.0))
    shift = method.trained_logits(torch.zeros(1, NUM_YEARS))[0]
    assert [shift[age].item() for age in (3, 7, 59)] == [0.0] * 3
    for age, group in ((0, 0), (2, 0), (4, 1), (100, 7)):
        assert shift[age].item() == pytest.approx(math.log(COUNTS[group] / 800))


@pytest.mark.parametrize("adjust", ["training", "prediction"])
def test_before_it_looked_at_a_training_set_a_method_adjusts_nothing(adjust: str) -> None:
    method = CrossEntropy(logit_adjustment=1.0, adjust=adjust)
    outputs = torch.arange(8.0)[None]
    assert torch.equal(method.trained_logits(outputs), outputs)
    assert torch.equal(method.balanced_logits(outputs), outputs)


@each_method
def test_what_the_options_need_of_the_training_set_travels_in_the_state(
    method: Callable[..., Classification], batch: tuple[Tensor, Tensor]
) -> None:
    options = {"weighting": "effective", "logit_adjustment": 1.0, "adjust": "prediction"}
    first = prepared(method(**options))
    again = method(**options)
    again.load_state_dict(first.state_dict())
    assert torch.equal(again(*batch, YEARS), first(*batch, YEARS))
    assert torch.equal(again.decode(batch[0]).group, first.decode(batch[0]).group)


@pytest.mark.parametrize(
    ("key", "value", "known"),
    [
        ("weighting", "true", "none, inverse, sqrt, effective"),
        ("normalization", "batch", "images, weights"),
        ("adjust", "both", "training, prediction"),
    ],
)
def test_an_unknown_choice_is_refused_with_those_that_there_are(key: str, value: str, known: str) -> None:
    with pytest.raises(InputError) as refused:
        CrossEntropy(**{key: value})
    assert str(refused.value) == f"loss.{key}={value}: choose one of {known}"


@pytest.mark.parametrize(
    ("key", "value", "needed"),
    [
        *(("effective_beta", value, "of at least 0 and below 1, such as 0.999") for value in (-0.1, 1.0, 1, math.nan)),
        *(("logit_adjustment", value, "of at least 0, such as 1") for value in (-1.0, math.inf, "one", True, None)),
    ],
)
def test_a_number_out_of_range_is_refused_with_the_range(key: str, value: object, needed: str) -> None:
    with pytest.raises(InputError) as refused:
        CrossEntropy(**{key: value})
    assert str(refused.value) == f"loss.{key}={value}: choose a number {needed}"
