"""The normalization of images: ImageNet's, or that of pretrained weights, also when loaded from a checkpoint."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file

from agegender.jobs import build
from agegender.models.normalization import IMAGENET, Normalization, from_dict
from agegender.training.checkpoint_file import read_checkpoint, write_checkpoint
from agegender.training.module import AgeGenderModule

VIT = "test_vit"
UNTRAINED = "mobilenetv4_conv_small_035"
HALF = Normalization((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "timm test_vit.r160_in1k")
Compose = Callable[..., dict[str, Any]]


@pytest.fixture
def vit_file(tmp_path: Path) -> Path:
    path = tmp_path / "vit.safetensors"
    save_file(timm.create_model(VIT).state_dict(), path)
    return path


@pytest.fixture
def configure(composed: Compose) -> Compose:
    def with_model(*overrides: str, name: str = VIT) -> dict[str, Any]:
        return composed("model=timm", f"model.name={name}", "data.image_size=32", *overrides)

    return with_model


def save(module: AgeGenderModule, path: Path) -> Path:
    """Write a checkpoint with what a module itself adds to it."""
    content: dict[str, Any] = {"state_dict": module.state_dict()}
    module.on_save_checkpoint(content)
    write_checkpoint(path, content)
    return path


def white(module: AgeGenderModule) -> list[float]:
    """Return the network's input for white pixels."""
    return module.normalizer(torch.full((1, 3, 1, 1), 255, dtype=torch.uint8)).flatten().tolist()


def test_pretrained_weights_of_timm_get_their_own_mean_and_deviation(configure: Compose, vit_file: Path) -> None:
    module = build.make_module(configure(f"model.weights={vit_file}"))
    assert module.normalizer.normalization == HALF
    assert white(module) == pytest.approx([1.0, 1.0, 1.0])


def test_a_network_from_scratch_has_imagenets(configure: Compose) -> None:
    module = build.make_module(configure())
    assert module.normalizer.normalization == IMAGENET
    assert white(module) == pytest.approx([(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225])


def test_weights_of_a_backbone_that_timm_publishes_nothing_for_have_imagenets(
    configure: Compose, tmp_path: Path
) -> None:
    save_file(timm.create_model(UNTRAINED).state_dict(), tmp_path / "own.safetensors")
    module = build.make_module(configure(f"model.weights={tmp_path / 'own.safetensors'}", name=UNTRAINED))
    assert module.normalizer.normalization == IMAGENET


def test_a_checkpoint_says_which_and_is_read_back_so(configure: Compose, vit_file: Path, tmp_path: Path) -> None:
    config = configure(f"model.weights={vit_file}")
    path = save(build.make_module(config), tmp_path / "best.ckpt")
    assert read_checkpoint(path)["agegender_normalization"] == HALF.to_dict()
    assert build.load_module(path).normalizer.normalization == HALF
    for start in (f"ckpt_path={path}", f"model.weights={path}"):
        assert build.make_module(configure(start)).normalizer.normalization == HALF


def test_a_checkpoint_of_before_has_imagenets_whatever_its_weights_began_with(
    configure: Compose, vit_file: Path, tmp_path: Path
) -> None:
    module = build.make_module(configure(f"model.weights={vit_file}"))
    content: dict[str, Any] = {"state_dict": module.state_dict(), "agegender_config": configure()}
    write_checkpoint(tmp_path / "old.ckpt", content)
    assert build.load_module(tmp_path / "old.ckpt").normalizer.normalization == IMAGENET
    module.on_load_checkpoint(content)  # a job that resumes goes on as it began
    assert module.normalizer.normalization == IMAGENET


def test_a_bare_file_of_weights_in_pytorchs_old_format_says_nothing(composed: Compose, tmp_path: Path) -> None:
    config = composed("model=resnet18", "data.image_size=32")
    state = build.make_module(config).network.state_dict()
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    module = build.make_module(composed("model=resnet18", "data.image_size=32", f"model.weights={tmp_path}/old.pth"))
    assert module.normalizer.normalization == IMAGENET


def test_the_numbers_are_no_part_of_the_state(configure: Compose) -> None:
    assert not [key for key in build.make_module(configure()).state_dict() if "normalizer" in key]


def test_a_normalization_is_read_as_it_was_written() -> None:
    assert from_dict(HALF.to_dict()) == HALF
    assert from_dict(None) == IMAGENET
