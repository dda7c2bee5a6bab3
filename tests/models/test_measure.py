"""The measures of a network: parameters, multiply-accumulates, the smallest image."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from paths import CONF
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from agegender.jobs import build
from agegender.models import measure
from agegender.system.errors import InputError

Composed = Callable[..., dict[str, Any]]
MODELS = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))


def meta_network(composed: Composed, model: str, image_size: int) -> nn.Module:
    """Build a network of conf/model with 8 + 2 outputs, without memory for its weights."""
    builder = build.network_builder(composed(f"model={model}"), 8)
    with torch.device("meta"):
        return builder(image_size)


@pytest.mark.parametrize(
    ("model", "count"),
    [
        ("small_cnn", 11_520_842),
        ("small_cnn_pooled", 11_519_242),
        ("alexnet", 57_044_810),
        ("vgg11", 128_807_306),
        ("resnet18", 11_181_642),
        ("densenet161", 26_494_090),
    ],
)
def test_a_network_has_exactly_its_published_number_of_parameters_at_256_pixels(
    composed: Composed, model: str, count: int
) -> None:
    assert measure.num_params(meta_network(composed, model, 256)) == count


def test_levi_hassner_with_one_8_way_head_has_the_original_number_of_parameters(composed: Composed) -> None:
    network = meta_network(composed, "levi_hassner", 227)
    gender_head = sum(weight.numel() for weight in network.heads.gender.parameters())  # pyright: ignore
    assert gender_head == 2 * 513
    assert measure.num_params(network) - gender_head == 11_415_048


def test_an_age_head_of_another_width_adds_513_parameters_per_output(composed: Composed) -> None:
    config = composed("model=small_cnn")
    with torch.device("meta"):
        wide = build.network_builder(config, 121)(256)
    assert measure.num_params(wide) == 11_520_842 + (121 - 8) * 513


def test_frozen_parameters_do_not_count_as_trainable() -> None:
    network = nn.Sequential(nn.Linear(10, 4), nn.Linear(4, 2))
    network[0].requires_grad_(False)
    assert measure.num_params(network) == 44 + 10
    assert measure.num_params(network, trainable=True) == 10


@pytest.mark.parametrize(
    ("model", "expected"), [("small_cnn", 1.26), ("small_cnn_pooled", 2.40), ("vgg11", 9.90), ("alexnet", 0.92)]
)
def test_a_network_needs_its_stated_multiply_accumulates_at_256_pixels(
    composed: Composed, model: str, expected: float
) -> None:
    found = measure.gmacs(build.network_builder(composed(f"model={model}"), 8), 256)
    assert found == pytest.approx(expected, abs=0.005)


def test_multiply_accumulates_of_a_convolution_and_a_linear_layer_are_those_counted_by_hand() -> None:
    def builder(image_size: int) -> nn.Module:
        convolution = nn.Conv2d(3, 2, 3, padding=1)  # 2 maps of 3 * 3 * 3 products per pixel
        return nn.Sequential(convolution, nn.Flatten(), nn.Linear(2 * image_size**2, 5))

    by_hand = 4 * 4 * 2 * 27 + 2 * 4 * 4 * 5
    assert measure.gmacs(builder, 4) == by_hand / 1e9


@pytest.mark.parametrize(
    ("model", "smallest"),
    [
        ("small_cnn", 121),
        ("small_cnn_pooled", 127),
        ("levi_hassner", 35),
        ("alexnet", 63),
        ("vgg11", 32),
        ("densenet161", 29),
    ],
)
def test_an_image_that_is_too_small_is_refused_with_the_smallest_size_that_works(
    composed: Composed, model: str, smallest: int
) -> None:
    builder = build.network_builder(composed(f"model={model}"), 8)
    with pytest.raises(InputError, match=rf"data\.image_size={smallest - 1} .* smallest is {smallest}$"):
        measure.check_image_size(builder, smallest - 1, model)


@pytest.mark.parametrize(
    ("model", "smallest"), [("small_cnn", 121), ("small_cnn_pooled", 127), ("levi_hassner", 35), ("alexnet", 63)]
)
def test_a_network_really_takes_a_training_batch_of_its_smallest_size_and_of_no_smaller_one(
    composed: Composed, model: str, smallest: int
) -> None:
    builder = build.network_builder(composed(f"model={model}"), 8)
    outputs = builder(smallest).train()(torch.randn(2, 3, smallest, smallest))
    assert outputs.age.shape == (2, 8) and outputs.age.isfinite().all()
    with pytest.raises((RuntimeError, ValueError)):
        builder(smallest - 1)(torch.randn(2, 3, smallest - 1, smallest - 1))


def test_a_size_that_works_passes_in_silence(composed: Composed) -> None:
    measure.check_image_size(build.network_builder(composed("model=small_cnn"), 8), 121, "small_cnn")


def test_a_network_that_takes_no_size_at_all_is_the_users_mistake_told_with_its_reason(composed: Composed) -> None:
    builder = build.network_builder(composed("model=small_cnn", "model.channels=[8,8]"), 8)
    with pytest.raises(InputError, match=r"small_cnn .*argument 2 is longer"):
        measure.check_image_size(builder, 500, "small_cnn")


@pytest.mark.parametrize("model", MODELS)
def test_the_layers_of_a_network_sum_up_to_all_its_parameters_and_multiply_accumulates(
    composed: Composed, model: str
) -> None:
    layers = measure.layers(build.network_builder(composed(f"model={model}"), 8), 256)
    network = meta_network(composed, model, 256).eval()
    with FlopCounterMode(display=False) as counter, torch.device("meta"), torch.no_grad():
        network(torch.empty(1, 3, 256, 256))
    assert sum(layer["macs"] for layer in layers) * 2 == counter.get_total_flops()
    assert sum(layer["num_params"] for layer in layers) == sum(weight.numel() for weight in network.parameters())
    assert all(layer["name"] and all(side > 0 for side in layer["output"]) for layer in layers)
    heads = [(layer["name"].rpartition(".")[2], layer["kind"], layer["output"]) for layer in layers[-2:]]
    assert heads == [("age", "Linear", [8]), ("gender", "Linear", [2])]


def test_layers_are_listed_as_they_are_executed_with_shapes_and_counts_by_hand() -> None:
    def builder(image_size: int) -> nn.Module:
        convolution = nn.Conv2d(3, 2, 3, padding=1, bias=False)
        return nn.Sequential(convolution, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(image_size**2 // 2, 5))

    assert measure.layers(builder, 4) == [
        {"name": "0", "kind": "Conv2d", "output": [2, 4, 4], "num_params": 54, "macs": 54 * 16},
        {"name": "1", "kind": "ReLU", "output": [2, 4, 4], "num_params": 0, "macs": 0},
        {"name": "2", "kind": "MaxPool2d", "output": [2, 2, 2], "num_params": 0, "macs": 0},
        {"name": "3", "kind": "Flatten", "output": [8], "num_params": 0, "macs": 0},
        {"name": "4", "kind": "Linear", "output": [5], "num_params": 45, "macs": 40},
    ]


class Twice(nn.Module):
    """A network that uses one layer twice, and a weight of its own; another layer is never used."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(12, 12)
        self.unused = nn.Linear(4, 4)
        self.weight = nn.Parameter(torch.zeros(12, 7))

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(self.layer(images.flatten(1))) @ self.weight


def test_a_layer_used_twice_is_listed_twice_and_what_is_in_no_layer_comes_last() -> None:
    once = {"name": "layer", "kind": "Linear", "output": [12], "num_params": 156, "macs": 144}
    assert measure.layers(lambda _: Twice(), 2) == [
        once,
        once | {"num_params": 0},
        {"name": "", "kind": "outside of layers", "output": [], "num_params": 84 + 20, "macs": 84},
    ]
