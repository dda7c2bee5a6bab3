"""timm's backbones: names, sizes, and weights from files or, as far as that can be tested offline, from timm."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from refusing import refusal
from safetensors.torch import save_file
from torch import Tensor, nn

from agegender.jobs import build
from agegender.models import measure
from agegender.models.timm_net import TimmNet
from agegender.training.module import AgeGenderModule

# timm's smallest architectures of their kind
SMALL = "mobilenetv4_conv_small_035"
VIT = "test_vit"
TWINS = "twins_pcpvt_small"
SIZE = 32  # pixels


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every connection fail at once."""

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("a test asked for the network")

    monkeypatch.setattr("socket.socket.connect", refuse)


@pytest.fixture(scope="module")
def published() -> dict[str, Tensor]:
    """Return a state dict like those that timm publishes: with a classifier of 1,000 classes."""
    torch.manual_seed(7)
    return timm.create_model(SMALL).state_dict()


@pytest.fixture(scope="module", params=["small.safetensors", "small.pth", "small.bin"])
def published_file(
    request: pytest.FixtureRequest, published: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("weights") / request.param
    save = save_file if path.suffix == ".safetensors" else torch.save
    save(published, path)  # pyright: ignore
    return path


def small(weights: Path | str | None = None, name: str = SMALL, **options: Any) -> TimmNet:
    return TimmNet(8, SIZE, name=name, weights=None if weights is None else str(weights), **options)


def test_a_network_is_timms_features_and_two_linear_heads() -> None:
    torch.manual_seed(0)
    network = small().eval()
    images = torch.randn(3, 3, SIZE, SIZE)
    features = network.backbone.forward_head(network.backbone.forward_features(images), pre_logits=True)
    outputs = network(images)
    torch.testing.assert_close(outputs.age, features @ network.heads.age.weight.T + network.heads.age.bias)
    torch.testing.assert_close(outputs.gender, features @ network.heads.gender.weight.T + network.heads.gender.bias)


@pytest.mark.parametrize("name", ["resnet10t", "vgg11", "levit_128s", "swin_tiny_patch4_window7_224", "mixer_s32_224"])
def test_networks_of_all_kinds_have_heads_as_wide_as_their_features(name: str) -> None:
    with torch.device("meta"):
        outputs = TimmNet(121, 96, name=name).eval()(torch.empty(2, 3, 96, 96))
    assert outputs.age.shape == (2, 121) and outputs.gender.shape == (2, 2)


@pytest.mark.parametrize(("image_size", "patches"), [(64, 16), (160, 100)])
def test_a_vision_transformer_is_built_for_the_image_size(image_size: int, patches: int) -> None:
    with torch.device("meta"):
        network = TimmNet(8, image_size, name=VIT)
        outputs = network.eval()(torch.empty(2, 3, image_size, image_size))
    assert network.backbone.pos_embed.shape[1] == patches + 1  # of 16 x 16 pixels, and the class token
    assert outputs.age.shape == (2, 8)


def test_a_tag_after_the_name_changes_no_layer_and_loads_nothing() -> None:
    torch.manual_seed(1)
    plain = TimmNet(8, SIZE, name="mobilenetv4_conv_small_050").state_dict()
    torch.manual_seed(1)
    tagged = TimmNet(8, SIZE, name="mobilenetv4_conv_small_050.e3000_r224_in1k").state_dict()
    assert plain.keys() == tagged.keys()
    assert all(torch.equal(plain[name], value) for name, value in tagged.items())


def test_dropout_is_before_the_heads_in_training_only() -> None:
    torch.manual_seed(0)
    network = small(dropout=0.9)
    images = torch.randn(4, 3, SIZE, SIZE)
    network.backbone.eval()
    assert not torch.equal(network(images).age, network(images).age)
    network.eval()
    assert torch.equal(network(images).age, network(images).age)


def test_options_reach_timms_constructor() -> None:
    rates = [getattr(module, "drop_prob", 0) for module in small(options={"drop_path_rate": 0.3}).modules()]
    assert max(rates) > 0.2


def test_an_unknown_option_is_told_as_the_users_mistake(composed: Callable[..., dict[str, Any]]) -> None:
    builder = build.network_builder(composed("model=timm", f"model.name={SMALL}", "+model.options.colour=1"), 8)
    assert "colour" in refusal(lambda: builder(SIZE))


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [("resnet19", "resnet18"), ("efficientnet-b0", "efficientnet_b0"), ("mobilenetv4_conv_smal", "mobilenetv4_conv_")],
)
def test_an_unknown_name_is_refused_with_close_ones(name: str, suggestion: str) -> None:
    message = refusal(lambda: small(name=name))
    assert f"model.name={name} is not an architecture" in message and suggestion in message


@pytest.mark.parametrize("name", ["hf-hub:timm/resnet18.a1_in1k", "local-dir:/somewhere", "zzz"])
def test_a_name_that_is_like_no_other_is_refused_and_nothing_is_fetched(name: str) -> None:
    assert f"model.name={name} is not an architecture" in refusal(lambda: small(name=name))


def test_an_unknown_tag_in_the_name_is_refused_with_those_that_exist() -> None:
    assert "a1_in1k" in refusal(lambda: small(name="resnet18.a9_in1k"))


def test_without_timm_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    assert refusal(small) == "model=timm needs the extra: pip install 'agegender[timm]'"


@pytest.mark.parametrize(("image_size", "smallest"), [(8, 32), (90, 96), (100, 128)])
def test_a_size_that_an_architecture_cannot_be_built_for_is_refused_with_the_next_that_works(
    image_size: int, smallest: int
) -> None:
    message = refusal(lambda: measure.check_image_size(lambda size: TimmNet(8, size, name=TWINS), image_size, TWINS))
    assert message.endswith(f"its smallest is {smallest}")


def test_a_published_file_gives_the_backbone_and_leaves_the_heads_as_the_seed_drew_them(
    published: dict[str, Tensor], published_file: Path
) -> None:
    torch.manual_seed(3)
    heads = small().heads.state_dict()
    torch.manual_seed(3)
    loaded = small(published_file)
    backbone = loaded.backbone.state_dict()
    assert set(published) - set(backbone) == {"classifier.weight", "classifier.bias"}
    assert all(torch.equal(value, published[name]) for name, value in backbone.items())
    assert all(torch.equal(value, heads[name]) for name, value in loaded.heads.state_dict().items())


def test_a_vision_transformer_of_another_image_size_keeps_its_layers_and_resizes_its_positions(tmp_path: Path) -> None:
    torch.manual_seed(7)
    state = timm.create_model(VIT, img_size=160).state_dict()
    with torch.no_grad():
        state["pos_embed"][:, 1:] = 0.25  # a constant stays one, whatever the interpolation
    save_file(state, tmp_path / "vit.safetensors")
    loaded = TimmNet(8, 64, name=VIT, weights=str(tmp_path / "vit.safetensors")).backbone.state_dict()
    assert torch.equal(loaded["blocks.0.attn.qkv.weight"], state["blocks.0.attn.qkv.weight"])
    assert loaded["pos_embed"].shape[1] == 17
    torch.testing.assert_close(loaded["pos_embed"][:, 1:], torch.full_like(loaded["pos_embed"][:, 1:], 0.25))


@pytest.mark.parametrize(("num_outputs", "expected"), [(8, set()), (121, {"heads.age.weight", "heads.age.bias"})])
@pytest.mark.parametrize("name", [SMALL, VIT])
def test_a_checkpoint_of_ours_gives_all_but_an_age_head_of_another_width(
    tmp_path: Path, name: str, num_outputs: int, expected: set[str]
) -> None:
    original = TimmNet(num_outputs, SIZE, name=name)
    method = build.make_method({"loss": {"_target_": "agegender.losses.cross_entropy.CrossEntropy"}})
    torch.save({"state_dict": AgeGenderModule(original, method).state_dict()}, tmp_path / "best.ckpt")
    loaded = small(tmp_path / "best.ckpt", name=name).state_dict()
    state = original.state_dict()
    assert {key for key, value in loaded.items() if not torch.equal(value, state[key])} == expected


@pytest.mark.parametrize("name", [VIT, "convnext_atto", "resnet10t"])
def test_a_file_of_another_architecture_is_refused(published_file: Path, name: str) -> None:
    assert f"model.weights={published_file} is of another architecture" in refusal(
        lambda: small(published_file, name=name)
    )


def test_a_tag_that_timm_does_not_know_is_refused_with_those_it_has() -> None:
    message = refusal(lambda: small("a9_in1k", name="resnet18"))
    assert "model.weights=a9_in1k is not a file" in message and "a1_in1k" in message


def test_an_architecture_without_published_weights_needs_a_file() -> None:
    assert "publishes nothing for " + SMALL in refusal(lambda: small("DEFAULT"))


@pytest.mark.parametrize(
    "error", [LocalEntryNotFoundError("no route\nto host"), ConnectionError("reset"), OSError("?")]
)
def test_without_a_network_published_weights_are_refused_with_the_way_around(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def download(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr("timm.models._hub.hf_hub_download", download)
    message = refusal(lambda: small("a1_in1k", name="resnet18"))
    assert "model.weights=a1_in1k of resnet18 cannot be fetched" in message and "give the path of a file" in message


@pytest.mark.parametrize(
    ("name", "weights", "expected"),
    [
        ("resnet18", "a2_in1k", "timm/resnet18.a2_in1k"),
        ("resnet18.a3_in1k", "DEFAULT", "timm/resnet18.a3_in1k"),
        ("resnet18", "DEFAULT", "timm/resnet18.a1_in1k"),
    ],
)
def test_a_tag_fetches_and_loads_the_weights_it_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, weights: str, expected: str
) -> None:
    state = timm.create_model("resnet18").state_dict()
    save_file(state, tmp_path / "model.safetensors")
    asked = []

    def download(repo_id: str, *arguments: object, **options: object) -> str:
        asked.append(repo_id)
        return str(tmp_path / "model.safetensors")

    monkeypatch.setattr("timm.models._hub.hf_hub_download", download)
    backbone: nn.Module = small(weights, name=name).backbone
    assert asked == [expected]
    assert all(torch.equal(value, state[key]) for key, value in backbone.state_dict().items())
