"""What every network of conf/model and every method of conf/loss must do; a new file is covered by being there.

A network knows of the method only how wide its age head is, a method of the network only that head's outputs: so every
network meets one method, and every method one small network.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from paths import CONF
from torch import Tensor, nn

from agegender.jobs import build
from agegender.labels import age_groups
from agegender.losses.base import Method
from agegender.models import measure
from agegender.models.heads import FaceOutputs
from agegender.system.errors import InputError

MODELS = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))
LOSSES = sorted(path.stem for path in (CONF / "loss").glob("*.yaml"))
METHOD = "plain"  # with which all networks are tested
NETWORK = "levi_hassner"  # with which all methods are tested: the fastest network at 64 pixels
PAIRS = [(model, METHOD) for model in MODELS] + [(NETWORK, loss) for loss in LOSSES if loss != METHOD]
GROUP = torch.tensor([1, 4])
YEARS = torch.tensor([5, 27])
GENDER = torch.tensor([0, 1])


class Pair(NamedTuple):
    """A network and a method, and their outputs for two images."""

    config: dict[str, Any]
    network: nn.Module
    method: Method
    images: Tensor
    outputs: FaceOutputs


@pytest.fixture(scope="module", params=PAIRS, ids="-".join)
def pair(request: pytest.FixtureRequest, composed: Callable[..., dict[str, Any]]) -> Pair:
    model, loss = request.param
    config = composed(f"model={model}", f"loss={loss}", "model.dropout=0")
    method = build.make_method(config)
    counts = torch.arange(121)
    method.prepare(counts, torch.from_numpy(age_groups("closed").group_of_age))
    builder = build.network_builder(config, method.num_outputs)
    size = small_size(builder)
    torch.manual_seed(0)
    network = builder(size).to(memory_format=torch.channels_last).train()  # pyright: ignore
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d) and not layer.weight.any():
            nn.init.ones_(layer.weight)  # a block that begins as the identity lets no gradient into its inside
    torch.manual_seed(1)
    images = torch.randn(2, 3, size, size).to(memory_format=torch.channels_last)
    return Pair(config, network, method, images, network(images))


def small_size(builder: Callable[[int], nn.Module]) -> int:
    """Return 64 pixels of a side, or 128 if that is too small, or 256."""
    for size in (64, 128):
        try:
            measure.check_image_size(builder, size, "a network")
            return size
        except InputError:
            continue
    return 256


def loss_of(pair: Pair) -> Tensor:
    """Return the loss of both tasks."""
    age = pair.method(pair.outputs.age, GROUP, YEARS)
    return age + pair.method.gender_weight * nn.functional.cross_entropy(pair.outputs.gender, GENDER)


def test_a_network_gives_the_methods_outputs_and_two_logits_of_gender(pair: Pair) -> None:
    assert pair.outputs.age.shape == (2, pair.method.num_outputs)
    assert pair.outputs.gender.shape == (2, 2)
    assert pair.outputs.age.isfinite().all() and pair.outputs.gender.isfinite().all()


def test_the_age_loss_of_an_untrained_network_is_a_finite_positive_scalar(pair: Pair) -> None:
    loss = pair.method(pair.outputs.age, GROUP, YEARS)
    assert loss.shape == ()
    assert loss.isfinite() and loss > 0


def test_the_gradient_of_the_loss_reaches_every_parameter(pair: Pair) -> None:
    loss_of(pair).backward(retain_graph=True)
    weights = [*pair.network.named_parameters(), *pair.method.named_parameters(prefix="method")]
    sizes = {name: 0.0 if weight.grad is None else float(weight.grad.abs().sum()) for name, weight in weights}
    assert [name for name, size in sizes.items() if not 0 < size < float("inf")] == []
    assert {"heads" in name.split(".") for name, _ in pair.network.named_parameters()} == {True, False}


def test_decoding_gives_probabilities_of_8_groups_and_an_age_of_a_human(pair: Pair) -> None:
    group, years = pair.method.decode(pair.outputs.age.detach())
    assert group.shape == (2, 8) and years.shape == (2,)
    assert (group >= 0).all()
    torch.testing.assert_close(group.sum(dim=1), torch.ones(2))
    assert ((years >= 0) & (years <= 120)).all()


def test_a_method_keeps_what_it_knows_of_the_training_set_in_its_state(pair: Pair) -> None:
    again = build.make_method(pair.config)
    outputs = pair.outputs.age.detach()
    before = again.decode(outputs)
    again.load_state_dict(pair.method.state_dict())
    after = again.decode(outputs)
    torch.testing.assert_close(after, pair.method.decode(outputs), rtol=0, atol=0)
    torch.testing.assert_close(again(outputs, GROUP, YEARS), pair.method(outputs, GROUP, YEARS), rtol=0, atol=0)
    as_before = [torch.equal(*values) for values in zip(before, after, strict=True)]
    assert not all(as_before), "an unprepared method knows as much: a void test"


def test_a_network_that_loads_the_state_of_another_computes_the_same(pair: Pair) -> None:
    builder = build.network_builder(pair.config, pair.method.num_outputs)
    with torch.device("meta"):
        again = builder(pair.images.shape[-1])
    again.load_state_dict(pair.network.state_dict(), assign=True)
    for name, constant in pair.network.named_buffers():
        if again.get_buffer(name).is_meta:  # not part of the state
            again.get_submodule(name.rpartition(".")[0]).register_buffer(name.rpartition(".")[2], constant)
    with torch.inference_mode():
        expected = pair.network.eval()(pair.images)
        found = again.eval()(pair.images)
    pair.network.train()
    assert torch.equal(found.age, expected.age) and torch.equal(found.gender, expected.gender)


@pytest.mark.parametrize("width", [1, 121])
@pytest.mark.parametrize("model", MODELS)
def test_the_age_head_is_as_wide_as_a_method_asks(
    model: str, width: int, composed: Callable[..., dict[str, Any]]
) -> None:
    builder = build.network_builder(composed(f"model={model}"), width)
    with torch.device("meta"):
        outputs = builder(256).eval()(torch.empty(3, 3, 256, 256))
    assert outputs.age.shape == (3, width) and outputs.gender.shape == (3, 2)
