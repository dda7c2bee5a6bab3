import os
from pathlib import Path

import lightning
import pytest
import torch
from torch.utils.data import DataLoader

from agegender import build
from agegender.errors import InputError
from agegender.losses.cross_entropy import CrossEntropy
from agegender.models.baselines import TorchvisionNet
from agegender.module import AgeGenderModule

CONFIG = {
    "seed": 0,
    "ckpt_path": None,
    "data": {"image_size": 32, "age_groups": "closed"},
    "model": {
        "_target_": "agegender.models.baselines.TorchvisionNet",
        "name": "resnet18",
        "dropout": 0.0,
        "weights": None,
    },
    "loss": {"_target_": "agegender.losses.cross_entropy.CrossEntropy", "gender_weight": 1.0},
    "optimizer": {"_target_": "torch.optim.Adam", "_partial_": True, "lr": 1e-3},
}


def batches(number: int = 3) -> list[dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(7)
    return [
        {
            "images": torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8, generator=generator),
            "years": torch.randint(0, 90, (4,), generator=generator),
            "group": torch.randint(0, 8, (4,), generator=generator),
            "gender": torch.randint(0, 2, (4,), generator=generator),
            "row": torch.arange(4),
        }
        for _ in range(number)
    ]


pytestmark = pytest.mark.filterwarnings("ignore:.*does not have many workers.*")


def fitted(seed: int, folder: Path, config: dict = CONFIG) -> tuple[AgeGenderModule, Path]:
    module = build.make_module({**config, "seed": seed})
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=2, logger=False, enable_progress_bar=False, enable_model_summary=False,
        enable_checkpointing=False, default_root_dir=folder, deterministic=True,
    )  # fmt: skip
    loader = DataLoader(batches(), batch_size=None, num_workers=0)  # pyright: ignore[reportArgumentType]
    trainer.fit(module, loader, loader)
    trainer.save_checkpoint(folder / f"{seed}.ckpt")
    return module, folder / f"{seed}.ckpt"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> tuple[AgeGenderModule, Path]:
    return fitted(0, tmp_path_factory.mktemp("fit"))


def test_an_image_is_normalized_by_imagenets_mean_and_standard_deviation():
    seen = []

    class Spy(torch.nn.Module):
        def forward(self, images):
            seen.append(images)
            return TorchvisionNet(8, 32, name="resnet18").eval()(images)

    AgeGenderModule(Spy(), CrossEntropy())(torch.full((1, 3, 32, 32), 51, dtype=torch.uint8))
    expected = [(0.2 - mean) / std for mean, std in zip((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), strict=True)]
    assert seen[0][0, :, 0, 0].tolist() == pytest.approx(expected, abs=1e-5)


def test_the_gender_weight_scales_only_the_gender_loss():
    batch = batches(1)[0]
    losses = {}
    for weight in (0.0, 1.0, 3.0):
        module = build.make_module({**CONFIG, "loss": {**CONFIG["loss"], "gender_weight": weight}}).eval()
        module.log_dict = lambda *_, **__: None  # pyright: ignore[reportAttributeAccessIssue]
        losses[weight] = module.training_step(batch).item()
    assert losses[3.0] - losses[0.0] == pytest.approx(3 * (losses[1.0] - losses[0.0]), rel=1e-4)
    assert losses[1.0] > losses[0.0]


def test_the_same_seed_trains_the_same_weights_and_another_seed_others(checkpoint, tmp_path):
    first, again, other = checkpoint[0], fitted(0, tmp_path)[0], fitted(1, tmp_path)[0]
    assert all(torch.equal(value, again.state_dict()[key]) for key, value in first.state_dict().items())
    assert not torch.equal(first.network.heads.age.weight, other.network.heads.age.weight)


def test_a_checkpoint_holds_plain_containers_and_gives_the_same_outputs(checkpoint):
    module, path = checkpoint
    assert torch.load(path, weights_only=True)["agegender_config"]["model"]["name"] == "resnet18"
    loaded = build.load_module(path)
    images = batches(1)[0]["images"]
    assert torch.equal(loaded(images).age, module.eval()(images).age)


def test_a_checkpoint_that_names_something_else_than_a_network_is_refused_and_nothing_is_called(checkpoint, tmp_path):
    content = torch.load(checkpoint[1], weights_only=True)
    touched = tmp_path / "touched"
    for target, key in (("os.mkdir", "model"), ("builtins.eval", "loss"), ("agegender.nothing.Net", "model")):
        content["agegender_config"] = {**CONFIG, key: {"_target_": target, "path": str(touched)}}
        torch.save(content, tmp_path / "evil.ckpt")
        with pytest.raises(InputError, match=f"_target_={target}"):
            build.load_module(tmp_path / "evil.ckpt")
    assert not os.path.exists(touched)


@pytest.mark.parametrize("damage", ["truncated", "garbage", "missing", "bare"])
def test_a_file_that_is_no_checkpoint_is_told_in_one_line(checkpoint, tmp_path, damage):
    path = tmp_path / "damaged.ckpt"
    if damage == "truncated":
        path.write_bytes(checkpoint[1].read_bytes()[:1000])
    elif damage == "garbage":
        path.write_bytes(b"\x80\x02" + b"nonsense" * 50)
    elif damage == "bare":
        torch.save({"weight": torch.zeros(2)}, path)
    with pytest.raises(InputError, match=r"damaged\.ckpt") as told:
        build.load_module(path)
    assert "\n" not in str(told.value)


def test_a_checkpoint_of_another_architecture_is_told_by_its_first_differing_tensor(checkpoint):
    config = {**CONFIG, "model": {**CONFIG["model"], "name": "resnet34"}, "ckpt_path": str(checkpoint[1])}
    with pytest.raises(InputError, match="another architecture"):
        build.make_module(config)


def test_an_image_size_below_the_smallest_names_it():
    config = {**CONFIG, "model": {**CONFIG["model"], "name": "alexnet"}}
    with pytest.raises(InputError, match=r"data\.image_size=32 is too small for model=alexnet; its smallest is 63"):
        build.make_module(config)


def test_the_precision_that_is_asked_for_is_kept_and_auto_is_one_that_the_cpu_has():
    assert build.choose_precision("64-true", "cpu") == "64-true"
    assert build.choose_precision("auto", "cpu") in ("bf16-mixed", "32-true")
