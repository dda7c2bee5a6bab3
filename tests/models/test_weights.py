"""Pretrained weights: from a file, from torchvision, and everything that is neither."""

import io
import sys
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import torch
import torchvision
from refusing import refusal
from safetensors.torch import save_file
from torch import Tensor

from agegender.jobs import build
from agegender.models.baselines import TorchvisionNet
from agegender.models.compact import CompactBranches
from agegender.models.levi_hassner import LeviHassner
from agegender.training.module import AgeGenderModule

SIZE = 35  # pixels; LeviHassner's smallest


@pytest.fixture(scope="module")
def imagenet() -> dict[str, Tensor]:
    """Return a state dict like those that torchvision publishes: of its own ResNet18 with 1,000 classes."""
    torch.manual_seed(7)
    return torchvision.models.resnet18().state_dict()


@pytest.fixture(scope="module")
def imagenet_file(imagenet: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(imagenet, path)
    return path


def resnet18(weights: Path | str | None) -> TorchvisionNet:
    return TorchvisionNet(8, name="resnet18", weights=None if weights is None else str(weights))


def levi_hassner(weights: Path | str | None) -> LeviHassner:
    return LeviHassner(8, SIZE, weights=None if weights is None else str(weights))


def test_the_outputs_of_networks_side_by_side_stay_where_the_files_are_of_another_method(tmp_path: Path) -> None:
    trained = CompactBranches(101, channels=[8, 16], blocks=[0, 1])
    torch.save(trained.state_dict(), tmp_path / "pair.pth")
    loaded = CompactBranches(8, channels=[8, 16], blocks=[0, 1], weights=str(tmp_path / "pair.pth"))
    theirs = trained.state_dict()
    for name, value in loaded.state_dict().items():
        if value.shape == theirs[name].shape:
            assert torch.equal(value, theirs[name]), name
        else:
            assert ".heads.age." in name


def test_a_file_of_torchvisions_weights_goes_into_the_backbone(
    imagenet: dict[str, Tensor], imagenet_file: Path
) -> None:
    loaded = resnet18(imagenet_file).backbone.state_dict()
    expected = {name: value for name, value in imagenet.items() if not name.startswith("fc.")}
    assert loaded.keys() == expected.keys()
    assert all(torch.equal(loaded[name], value) for name, value in expected.items())


def test_a_file_of_torchvisions_weights_leaves_the_heads_as_the_seed_drew_them(imagenet_file: Path) -> None:
    torch.manual_seed(3)
    expected = resnet18(None).heads.state_dict()
    torch.manual_seed(3)
    loaded = resnet18(imagenet_file).heads.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in expected.items())


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod."])
def test_the_names_that_wrappers_put_before_a_networks_own_do_not_matter(tmp_path: Path, prefix: str) -> None:
    original = levi_hassner(None).state_dict()
    torch.save({prefix + name: value for name, value in original.items()}, tmp_path / "wrapped.pth")
    loaded = levi_hassner(tmp_path / "wrapped.pth").state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in original.items())


def checkpoint_of_ours(folder: Path, num_outputs: int = 8) -> tuple[Path, dict[str, Tensor]]:
    """Write a checkpoint in Lightning's format, and return it and the network's own state dict."""
    network = LeviHassner(num_outputs, SIZE)
    method = build.make_method({"loss": {"_target_": "agegender.losses.cross_entropy.CrossEntropy"}})
    state = AgeGenderModule(network, method).state_dict()
    torch.save({"state_dict": state, "epoch": 3, "agegender_config": {}}, folder / "best.ckpt")
    return folder / "best.ckpt", network.state_dict()


def test_a_checkpoint_of_ours_gives_backbone_and_heads(tmp_path: Path) -> None:
    path, expected = checkpoint_of_ours(tmp_path)
    loaded = levi_hassner(path).state_dict()
    assert loaded.keys() == expected.keys()
    assert all(torch.equal(loaded[name], value) for name, value in expected.items())


def test_a_checkpoint_with_an_age_head_of_another_width_gives_all_but_that_head(tmp_path: Path) -> None:
    path, expected = checkpoint_of_ours(tmp_path, num_outputs=121)
    loaded = levi_hassner(path).state_dict()
    different = {name for name, value in expected.items() if not torch.equal(loaded[name], value)}
    assert different == {"heads.age.weight", "heads.age.bias"}


def test_configured_weights_reach_the_module_that_is_trained(
    composed: Callable[..., dict[str, Any]], imagenet: dict[str, Tensor], imagenet_file: Path
) -> None:
    module = build.make_module(composed("model=resnet18", f"model.weights={imagenet_file}", "data.image_size=32"))
    assert torch.equal(module.state_dict()["network.backbone.conv1.weight"], imagenet["conv1.weight"])


def test_weights_of_another_architecture_are_refused_by_the_first_tensor_that_is_missing(imagenet_file: Path) -> None:
    message = refusal(lambda: levi_hassner(imagenet_file))
    assert f"model.weights={imagenet_file} is of another architecture" in message
    assert "features.0.weight (96, 3, 7, 7)" in message


def test_weights_of_the_same_network_for_another_image_size_are_refused(tmp_path: Path) -> None:
    torch.save(LeviHassner(8, 67).state_dict(), tmp_path / "larger.pth")
    assert "hidden.1.weight (512, 384)" in refusal(lambda: levi_hassner(tmp_path / "larger.pth"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello, world\n",
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"\x80\x02}q\x00(X\x05\x00\x00\x00",
        b"\x80\x02.",
        b"\x80\x02M.",
    ],
    ids=["empty", "text", "image", "cut off", "no content", "half a number"],
)
def test_a_file_that_is_no_weights_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "garbage.pth").write_bytes(content)
    assert f"{tmp_path / 'garbage.pth'} is not a file of weights" in refusal(
        lambda: levi_hassner(tmp_path / "garbage.pth")
    )


def test_a_truncated_file_of_weights_is_refused(tmp_path: Path, imagenet_file: Path) -> None:
    (tmp_path / "half.pth").write_bytes(imagenet_file.read_bytes()[:1_000_000])
    assert "half.pth is not a file of weights" in refusal(lambda: resnet18(tmp_path / "half.pth"))


def test_a_file_of_safetensors_gives_the_same_as_one_of_pytorch(tmp_path: Path) -> None:
    original = levi_hassner(None).state_dict()
    save_file(original, tmp_path / "weights.safetensors")
    loaded = levi_hassner(tmp_path / "weights.safetensors").state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in original.items())


@pytest.mark.parametrize("length", [0, 5, 1000])
def test_a_truncated_file_of_safetensors_is_refused(tmp_path: Path, length: int) -> None:
    save_file({"weight": torch.zeros(1000)}, tmp_path / "whole.safetensors")
    path = tmp_path / "half.safetensors"
    path.write_bytes((tmp_path / "whole.safetensors").read_bytes()[:length])
    assert f"{path} is not a file of weights" in refusal(lambda: levi_hassner(path))


def test_without_safetensors_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "weights.safetensors").touch()
    monkeypatch.setitem(sys.modules, "safetensors", None)
    assert "pip install 'agegender[timm]'" in refusal(lambda: levi_hassner(tmp_path / "weights.safetensors"))


@pytest.mark.parametrize(
    "content", [[1, 2], torch.zeros(3), {"state_dict": [1]}, 5], ids=["list", "tensor", "nested", "int"]
)
def test_a_pytorch_file_of_something_else_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "other.pth")
    assert "other.pth" in refusal(lambda: levi_hassner(tmp_path / "other.pth"))


def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(tmp_path: Path) -> None:
    program = f"cbuiltins\nopen\n(S'{tmp_path / 'ran'}'\nS'w'\ntR."
    (tmp_path / "evil.pth").write_bytes(program.encode())
    assert "evil.pth is not a file of weights" in refusal(lambda: levi_hassner(tmp_path / "evil.pth"))
    assert not (tmp_path / "ran").exists()


def test_a_missing_file_is_refused_where_the_network_has_no_published_weights(tmp_path: Path) -> None:
    message = refusal(lambda: levi_hassner(tmp_path / "missing.pth"))
    assert f"model.weights={tmp_path / 'missing.pth'} is not a file" in message


def test_a_name_that_torchvision_does_not_know_is_refused_with_those_it_knows() -> None:
    message = refusal(lambda: resnet18("IMAGENET1K_V9"))
    assert "model.weights=IMAGENET1K_V9" in message and "IMAGENET1K_V1" in message


@pytest.fixture
def no_downloads_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give torch.hub an empty cache, so that weights must be fetched."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))


@pytest.mark.usefixtures("no_downloads_yet")
@pytest.mark.parametrize("error", [URLError("no route to host"), ConnectionResetError("reset"), TimeoutError("slow")])
def test_without_a_network_published_weights_are_refused_with_the_way_around(
    monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    def urlopen(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr("torch.hub.urlopen", urlopen)
    message = refusal(lambda: resnet18("IMAGENET1K_V1"))
    assert "model.weights=IMAGENET1K_V1 cannot be fetched" in message and "give the path of a file" in message


class _Response(io.BytesIO):
    """A proxy's page as torch.hub sees it."""

    def info(self) -> Message:
        return Message()


@pytest.mark.usefixtures("no_downloads_yet")
def test_published_weights_that_arrive_broken_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.hub.urlopen", lambda *_, **__: _Response(b"<html>please log in</html>"))
    assert "cannot be fetched (invalid hash value" in refusal(lambda: resnet18("IMAGENET1K_V1"))


@pytest.mark.usefixtures("no_downloads_yet")
def test_torchvisions_name_fetches_and_loads_its_weights(
    monkeypatch: pytest.MonkeyPatch, imagenet: dict[str, Tensor]
) -> None:
    asked = []

    def fetch(url: str, *arguments: object, **options: object) -> dict[str, Tensor]:
        asked.append(url)
        return dict(imagenet)

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fetch)
    network = resnet18("IMAGENET1K_V1")
    assert len(asked) == 1 and asked[0].rpartition("/")[2].startswith("resnet18-")
    assert torch.equal(network.backbone.state_dict()["conv1.weight"], imagenet["conv1.weight"])
