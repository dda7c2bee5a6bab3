"""CORAL's biases, and its loss against coral-pytorch."""

import math

import pytest
import torch
from coral_pytorch.dataset import levels_from_labelbatch
from coral_pytorch.layers import CoralLayer
from coral_pytorch.losses import coral_loss
from preparing import prepare

from agegender.labels import age_groups
from agegender.losses.coral import Coral
from agegender.system.errors import InputError


def prepared(counts: dict[int, int], **arguments: object) -> Coral:
    return prepare(Coral(**arguments), counts)  # pyright: ignore[reportArgumentType]


def test_the_network_gives_one_score_and_the_method_has_100_biases_to_train() -> None:
    method = Coral()
    assert method.num_outputs == 1
    assert {name: tuple(value.shape) for name, value in method.named_parameters()} == {"bias_shift": (100,)}


def test_descending_biases_begin_as_those_of_coral_pytorch() -> None:
    method = prepared({20: 5, 50: 5}, bias_init="descending")
    torch.testing.assert_close(method.bias, CoralLayer(1, 101).coral_bias)


def test_biases_of_the_prior_begin_as_the_log_odds_of_being_older() -> None:
    bias = prepared({0: 3, 30: 5, 104: 2}).bias
    # Of 10 images 7 are older than 0 to 29 years and 2 older than 30 to 99; each side of the odds has one more.
    assert bias[[0, 29]].tolist() == pytest.approx([math.log(8 / 4)] * 2)
    assert bias[[30, 99]].tolist() == pytest.approx([math.log(3 / 9)] * 2)


@pytest.mark.parametrize("counts", [{}, {0: 10}, {116: 10}])
def test_biases_of_the_prior_are_finite_where_all_faces_answer_the_same(counts: dict[int, int]) -> None:
    assert prepared(counts).bias.isfinite().all()


def test_loss_and_gradients_are_coral_pytorchs_per_task() -> None:
    torch.manual_seed(0)
    years = torch.tensor([0, 1, 30, 57, 99, 100])
    method = Coral(bias_init="descending", bias_rate=1.0)
    layer = CoralLayer(8, 101)
    features = torch.randn(6, 8)
    head = torch.nn.Linear(8, 1, bias=False)
    head.load_state_dict(layer.coral_weights.state_dict())
    loss = method(head(features), years, years)
    expected = coral_loss(layer(features), levels_from_labelbatch(years, 101)) / 100  # theirs is a sum over the tasks
    torch.testing.assert_close(loss, expected)
    gradients = torch.autograd.grad(loss, [head.weight, method.bias_shift])
    expected_gradients = torch.autograd.grad(expected, [layer.coral_weights.weight, layer.coral_bias])
    torch.testing.assert_close(gradients, expected_gradients)


@pytest.mark.parametrize("rate", [1.0, 10.0])
def test_a_step_of_adam_moves_the_biases_by_their_rate_times_the_learning_rate(rate: float) -> None:
    method = Coral(bias_rate=rate)
    before = method.bias.detach().clone()
    optimizer = torch.optim.Adam(method.parameters(), lr=1e-3)
    method(torch.zeros(1, 1), torch.tensor([7]), torch.tensor([100])).backward()  # all biases are too small
    optimizer.step()
    torch.testing.assert_close(method.bias - before, torch.full((100,), rate * 1e-3), rtol=1e-2, atol=0)


def test_with_biases_that_descend_the_probabilities_never_rise() -> None:
    torch.manual_seed(0)
    older = prepared({age: 100 - age for age in range(100)}).probabilities(torch.randn(64, 1) * 10)
    assert (older.diff(dim=1) <= 0).all()


def test_the_biases_travel_in_the_state() -> None:
    method = prepared({20: 5, 50: 5})
    method.bias_shift.data.normal_()
    again = Coral()
    again.load_state_dict(method.state_dict())
    assert again.bias.equal(method.bias)


def test_looking_at_the_training_set_leaves_what_was_trained() -> None:
    method = Coral()
    method.bias_shift.data.fill_(0.5)
    method.prepare(torch.ones(121, dtype=torch.int64), torch.from_numpy(age_groups("closed").group_of_age))
    assert method.bias_shift.tolist() == [0.5] * 100


def test_an_unknown_initialization_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(InputError, match=r"^loss\.bias_init=zero: .*descending, prior$"):
        Coral(bias_init="zero")


@pytest.mark.parametrize("rate", [0.0, -1.0, math.inf, math.nan])
def test_a_rate_that_would_train_no_bias_is_refused(rate: float) -> None:
    with pytest.raises(InputError, match=rf"^loss\.bias_rate={rate}: "):
        Coral(bias_rate=rate)
