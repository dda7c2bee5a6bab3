"""The module: what it feeds the network, how it adds up the losses, and that a seed determines everything."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
import torch
from composing import composed
from lightning.pytorch.loggers import Logger
from torch import Tensor, nn
from torch.utils.data import DataLoader

from agegender.data.datamodule import UTKFaceDataModule
from agegender.jobs import build
from agegender.labels import age_groups
from agegender.losses.cross_entropy import CrossEntropy
from agegender.models.heads import FaceOutputs, average
from agegender.training import trainers
from agegender.training.augment import Augment
from agegender.training.module import AgeGenderModule, _seed_generators

SIZE = 35  # pixels; levi_hassner's smallest


class Fixed(nn.Module):
    """A network with constant outputs, which remembers the images that it gets."""

    def __init__(self, age: Tensor, gender: Tensor) -> None:
        super().__init__()
        self.age = nn.Parameter(age)
        self.gender = nn.Parameter(gender)
        self.seen: Tensor | None = None

    def forward(self, images: Tensor) -> FaceOutputs:
        self.seen = images
        return FaceOutputs(self.age[: len(images)], self.gender[: len(images)])


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """Restore settings of the process: deterministic algorithms, and the threads, of which small images need one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


def configuration(*overrides: str) -> dict[str, Any]:
    """Compose a job of a small network with dropout, on the CPU."""
    given = [
        "model=levi_hassner",
        f"data.image_size={SIZE}",
        "trainer=cpu",
        "trainer.max_epochs=2",
        "optimizer.lr=0.01",
        "trainer.enable_progress_bar=false",
        "trainer.precision=32-true",
        "logger=none",
    ]
    return composed(*given, *overrides)


def batch_of(number: int, seed: int) -> dict[str, Tensor]:
    """Make a batch of noise with labels, in the form of the data module."""
    random = torch.Generator().manual_seed(seed)
    years = torch.randint(0, 100, (number,), generator=random)
    return {
        "images": torch.randint(0, 256, (number, 3, SIZE, SIZE), dtype=torch.uint8, generator=random),
        "years": years,
        "group": torch.from_numpy(age_groups("closed").group_of_age)[years],
        "gender": torch.arange(number) % 2,
        "row": torch.arange(number),
    }


def loader_of(batches: list[dict[str, Tensor]]) -> DataLoader[dict[str, Tensor]]:
    return DataLoader(batches, batch_size=None)  # pyright: ignore


def trained(config: dict[str, Any], folder: Path) -> tuple[AgeGenderModule, lightning.Trainer]:
    """Train a module for a few steps on the same batches."""
    trainers.quiet_libraries()
    module = build.make_module(config)
    module.method.prepare(torch.ones(121, dtype=torch.int64), torch.from_numpy(age_groups("closed").group_of_age))
    trainer = trainers.make_trainer(config["trainer"], folder=folder, callbacks=[], logger=False)
    batches = [batch_of(4, seed) for seed in range(3)]
    trainer.fit(module, loader_of(batches), loader_of(batches[:1]))
    return module, trainer


def test_uint8_pixels_are_normalized_by_imagenets_mean_and_deviation() -> None:
    network = Fixed(torch.zeros(1, 8), torch.zeros(1, 2))
    images = torch.tensor([0, 128, 255], dtype=torch.uint8).view(1, 3, 1, 1)
    AgeGenderModule(network, CrossEntropy())(images)
    by_hand = [(0 - 0.485) / 0.229, (128 / 255 - 0.456) / 0.224, (1 - 0.406) / 0.225]
    assert network.seen is not None and network.seen.dtype == torch.float32
    np.testing.assert_allclose(network.seen.detach().flatten().numpy(), by_hand, rtol=1e-5)


@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
def test_every_pixel_is_normalized_by_its_own_channel_wherever_channels_are_in_memory(
    memory_format: torch.memory_format,
) -> None:
    network = Fixed(torch.zeros(2, 8), torch.zeros(2, 2))
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 3, 4, 5), dtype=np.uint8))
    images = images.contiguous(memory_format=memory_format)
    before = images.clone()
    AgeGenderModule(network, CrossEntropy())(images)
    mean, std = (np.array(values)[:, None, None] for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    assert network.seen is not None and network.seen.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(network.seen.numpy(), (before.numpy() / 255 - mean) / std, rtol=1e-4, atol=1e-6)
    assert torch.equal(images, before)


def test_outputs_are_float32_whatever_the_network_computes_in() -> None:
    network = Fixed(torch.zeros(1, 8), torch.zeros(1, 2)).to(torch.bfloat16)
    outputs = AgeGenderModule(network, CrossEntropy())(torch.zeros(1, 3, 2, 2, dtype=torch.uint8))
    assert outputs.age.dtype == outputs.gender.dtype == torch.float32


def step_loss(gender_weight: float, age: Tensor, gender: Tensor) -> float:
    """Return the training loss of two images with these outputs."""
    module = AgeGenderModule(Fixed(age, gender), CrossEntropy(gender_weight=gender_weight))
    module.log_dict = lambda *_, **__: None  # pyright: ignore
    batch = {
        "images": torch.zeros(2, 3, 1, 1, dtype=torch.uint8),
        "years": torch.tensor([1, 30]),
        "group": torch.tensor([0, 4]),
        "gender": torch.tensor([1, 0]),
        "row": torch.arange(2),
    }
    return module.training_step(batch).item()


@pytest.mark.parametrize("weight", [0.0, 1.0, 2.5])
def test_the_gender_weight_scales_the_gender_loss_alone(weight: float) -> None:
    age = torch.zeros(2, 8)  # log 8 per image
    gender = torch.tensor([[0.0, np.log(3)], [0.0, np.log(3)]])  # probabilities 3/4 and 1/4 of the true genders
    by_hand = np.log(8) + weight * (np.log(4 / 3) + np.log(4)) / 2
    assert step_loss(weight, age, gender) == pytest.approx(by_hand, rel=1e-5)


def test_the_gradient_of_the_gender_loss_is_scaled_and_that_of_age_is_not() -> None:
    gradients = {}
    for weight in (1.0, 3.0):
        module = AgeGenderModule(Fixed(torch.zeros(2, 8), torch.zeros(2, 2)), CrossEntropy(gender_weight=weight))
        module.log_dict = lambda *_, **__: None  # pyright: ignore
        module.training_step(batch_of(2, 0)).backward()
        gradients[weight] = [weight.grad for weight in module.network.parameters()]
    torch.testing.assert_close(gradients[3.0][0], gradients[1.0][0])
    torch.testing.assert_close(gradients[3.0][1], 3 * gradients[1.0][1])


def test_the_same_seed_gives_the_same_weights_bit_for_bit(tmp_path: Path) -> None:
    first, second = (trained(configuration("seed=1"), tmp_path)[0].state_dict() for _ in range(2))
    assert first.keys() == second.keys()
    assert [name for name in first if not torch.equal(first[name], second[name])] == []


def test_training_changes_the_weights(tmp_path: Path) -> None:
    before = build.make_module(configuration("seed=1")).state_dict()
    after = trained(configuration("seed=1"), tmp_path)[0].state_dict()
    assert not torch.equal(before["network.heads.age.weight"], after["network.heads.age.weight"])


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true", "64-true"])
def test_every_precision_trains_with_every_augmentation(precision: str, tmp_path: Path) -> None:
    small = ("model=compact", "model.channels=[4,4,4,8]")  # PyTorch normalizes levi_hassner's in float32 and 64 alone
    overrides = (
        *small,
        f"trainer.precision={precision}",
        "augment=strong",
        "augment.mixup=0.2",
        "test_time_shift=0.05",
    )
    config = configuration(*overrides)
    before = build.make_module(config).network.state_dict()
    module, trainer = trained(config, tmp_path)
    trainer.test(module, loader_of([batch_of(4, 9)]), verbose=False)
    assert any(not torch.equal(value.float(), before[key]) for key, value in module.network.state_dict().items())
    assert 0 <= module.test_scores["age_mae_years"] < 120


def test_another_seed_gives_other_weights(tmp_path: Path) -> None:
    first, second = (build.make_module(configuration(f"seed={seed}")).state_dict() for seed in (1, 2))
    assert not torch.equal(first["network.features.0.weight"], second["network.features.0.weight"])


def test_the_seed_also_decides_what_dropout_leaves_out(tmp_path: Path) -> None:
    drawn = []
    for seed in (1, 2):
        module, trainer = trained(configuration(f"seed={seed}", "trainer.max_epochs=1"), tmp_path)
        module.trainer = trainer
        module.on_train_epoch_start()
        drawn.append(torch.rand(4))
    assert not torch.equal(drawn[0], drawn[1])


def test_a_weight_is_trained_that_the_optimizer_of_the_configuration_was_given(tmp_path: Path) -> None:
    module, _ = trained(configuration("optimizer.lr=0.03", "trainer.max_epochs=1"), tmp_path)
    optimizer = module.make_optimizer()
    assert type(optimizer) is torch.optim.Adam
    given = [id(weight) for group in optimizer.param_groups for weight in group["params"]]
    assert sorted(given) == sorted(id(weight) for weight in module.network.parameters())
    assert {group["lr"] for group in optimizer.param_groups} == {0.03}


def test_a_methods_own_parameters_are_trained_with_the_network(tmp_path: Path) -> None:
    module, _ = trained(configuration("loss=coral", "trainer.max_epochs=1"), tmp_path)
    given = {id(weight) for group in module.make_optimizer().param_groups for weight in group["params"]}
    own = list(module.method.parameters())
    assert own and {id(weight) for weight in own} <= given
    assert all(weight.abs().sum() > 0 for weight in own), "they begin at 0"


def test_biases_and_normalizations_do_not_decay() -> None:
    module = build.make_module(configuration("optimizer=adamw", "optimizer.weight_decay=0.1"))
    decay = {
        id(weight): group["weight_decay"]
        for group in module.make_optimizer().param_groups
        for weight in group["params"]
    }
    found = {name: decay[id(weight)] for name, weight in module.network.named_parameters()}
    assert {value for name, value in found.items() if name.endswith("bias")} == {0.0}
    assert {value for name, value in found.items() if name.endswith("weight")} == {0.1}


def test_a_schedule_moves_the_learning_rate_at_every_step_and_ends_at_nothing(tmp_path: Path) -> None:
    _, trainer = trained(configuration("schedule=one_cycle", "schedule.warmup=0.5"), tmp_path)
    (scheduler,) = (entry.scheduler for entry in trainer.lr_scheduler_configs)
    assert scheduler.last_epoch == 6  # 2 epochs of 3 batches
    assert trainer.optimizers[0].param_groups[0]["lr"] == 0.0


def test_training_images_are_augmented_and_evaluated_ones_are_not() -> None:
    network = Fixed(torch.zeros(2, 8), torch.zeros(2, 2))
    module = AgeGenderModule(network, CrossEntropy(), augment=Augment(flip=1.0))
    batch = batch_of(2, 0)
    module(batch["images"])
    plain = network.seen
    module.training_step(batch)
    assert plain is not None and network.seen is not None
    assert torch.equal(network.seen, plain.flip(3))
    module.validation_step(batch)
    assert torch.equal(network.seen, plain)


def test_a_mixed_batch_pays_each_images_loss_by_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    age = torch.randn(3, 8)
    gender = torch.randn(3, 2)
    module = AgeGenderModule(Fixed(age, gender), CrossEntropy(), augment=Augment(mixup=1.0))
    partner = torch.tensor([2, 0, 1])
    monkeypatch.setattr(Augment, "mix", lambda self, images: (images, partner, 0.75))
    batch = batch_of(3, 0)

    def loss(order: Tensor) -> Tensor:
        both = ((age, batch["group"]), (gender, batch["gender"]))
        return sum(torch.nn.functional.cross_entropy(outputs, labels[order]) for outputs, labels in both)  # pyright: ignore

    expected = 0.75 * loss(torch.arange(3)) + 0.25 * loss(partner)
    torch.testing.assert_close(module.training_step(batch), expected)


class LeftSide(nn.Module):
    """A network whose outputs are the means of an image's left half and of its right half."""

    def forward(self, images: Tensor) -> FaceOutputs:
        middle = images.shape[3] // 2
        halves = torch.stack([images[..., :middle].mean((1, 2, 3)), images[..., middle:].mean((1, 2, 3))], dim=1)
        return FaceOutputs(halves.repeat(1, 4), halves)


def test_the_flip_at_test_time_averages_the_outputs_of_an_image_and_its_mirror_image() -> None:
    images = torch.randint(0, 256, (3, 3, 4, 4), dtype=torch.uint8)
    module = AgeGenderModule(LeftSide(), CrossEntropy(), test_time_flip=True)
    train = module.train()(images).gender
    evaluated = module.eval()(images).gender
    torch.testing.assert_close(evaluated, (train + train.flip(1)) / 2)
    assert not torch.equal(evaluated, train)


def test_shifts_at_test_time_are_averaged_with_the_image_and_left_out_of_validations() -> None:
    images = torch.randint(0, 256, (3, 3, 10, 10), dtype=torch.uint8)
    plain = AgeGenderModule(LeftSide(), CrossEntropy(), test_time_flip=True).eval()
    module = AgeGenderModule(LeftSide(), CrossEntropy(), test_time_flip=True, test_time_shift=0.2).eval()
    padded = torch.nn.functional.pad(images.float(), (2, 2, 2, 2), mode="replicate").to(torch.uint8)
    views = [images, *(padded[..., y : y + 10, x : x + 10] for y in (0, 4) for x in (0, 4))]
    torch.testing.assert_close(module(images).age, torch.stack([plain(view).age for view in views]).mean(dim=0))
    assert torch.equal(module(images, shift=False).age, plain(images).age)
    assert torch.equal(module.train()(images).age, plain.train()(images).age)


class Two(nn.Module):
    """An ensemble of two members with constant outputs."""

    def __init__(self, *members: FaceOutputs) -> None:
        super().__init__()
        self.members = members

    def forward(self, images: Tensor) -> FaceOutputs:
        return average(self.members)._replace(members=self.members if self.training else ())


def test_each_member_of_an_ensemble_has_its_own_loss_in_training_and_their_mean_predicts() -> None:
    members = [FaceOutputs(torch.randn(3, 8), torch.randn(3, 2)) for _ in range(2)]
    batch = batch_of(3, 0)

    def loss(outputs: FaceOutputs) -> Tensor:
        both = ((outputs.age, batch["group"]), (outputs.gender, batch["gender"]))
        return sum(torch.nn.functional.cross_entropy(*pair) for pair in both)  # pyright: ignore

    module = AgeGenderModule(Two(*members), CrossEntropy())
    torch.testing.assert_close(module.training_step(batch), (loss(members[0]) + loss(members[1])) / 2)
    outputs = module.eval()(batch["images"])
    torch.testing.assert_close(outputs.age, (members[0].age + members[1].age) / 2)
    assert outputs.members == ()


def test_a_training_run_logs_the_losses_and_scores_of_both_tasks(tmp_path: Path) -> None:
    _, trainer = trained(configuration("trainer.max_epochs=1"), tmp_path)
    losses = {f"{part}/{name}" for part in ("train", "val") for name in ("loss", "age_loss", "gender_loss")}
    scores = {f"val/{name}" for name in ("age_accuracy", "gender_accuracy", "age_balanced_accuracy", "age_mae_years")}
    assert losses | scores <= trainer.callback_metrics.keys()
    values = {key: float(value) for key, value in trainer.callback_metrics.items()}
    assert values["val/loss"] == pytest.approx(values["val/age_loss"] + values["val/gender_loss"], rel=1e-6)


def test_testing_keeps_one_prediction_per_image_in_order(tmp_path: Path) -> None:
    trainers.quiet_libraries()
    module = build.make_module(configuration())
    trainer = trainers.make_trainer(configuration()["trainer"], folder=tmp_path, callbacks=[], logger=False)
    batches = [batch_of(3, 0), {**batch_of(2, 1), "row": torch.tensor([8, 9])}]
    trainer.test(module, loader_of(batches), verbose=False)
    rows = torch.cat([batch["row"] for batch in module.predictions]).tolist()
    gender = torch.cat([batch["gender"] for batch in module.predictions])
    right = gender.argmax(dim=1) == torch.cat([batch["gender"] for batch in batches])
    assert rows == [0, 1, 2, 8, 9]
    assert module.test_scores["gender_accuracy"] == pytest.approx(right.double().mean().item())


def test_what_is_kept_of_a_batch_lets_go_of_its_memory(tmp_path: Path) -> None:
    # Small labels that stay between large freed images fragment the memory, and it grows by all tested images.
    module = build.make_module(configuration())
    trainer = trainers.make_trainer(configuration()["trainer"], folder=tmp_path, callbacks=[], logger=False)
    batches = [batch_of(3, 0), batch_of(2, 1)]
    trainer.test(module, loader_of(batches), verbose=False)
    given = {tensor.untyped_storage().data_ptr() for batch in batches for tensor in batch.values()}
    kept = {tensor.untyped_storage().data_ptr() for batch in module.predictions for tensor in batch.values()}
    assert not given & kept


class RecordingLogger(Logger):
    """Records what is logged, by step."""

    name = "recording"
    version = None

    def __init__(self) -> None:
        super().__init__()
        self.logged: list[tuple[int | None, dict[str, float]]] = []

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None: ...

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.logged.append((step, dict(metrics)))

    def values(self, key: str) -> dict[int | None, float]:
        """Return the values of a key by step, and check that no step has two."""
        found = [(step, metrics[key]) for step, metrics in self.logged if key in metrics]
        assert len(found) == len(dict(found))
        return dict(found)


class StepLosses(lightning.Callback):
    """Computes the loss of each step from its definition, before the step changes the weights."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        with torch.no_grad():
            outputs = pl_module(batch["images"])
            age = -outputs.age.log_softmax(dim=1)[torch.arange(len(outputs.age)), batch["group"]].mean()
            gender = -outputs.gender.log_softmax(dim=1)[torch.arange(len(outputs.age)), batch["gender"]].mean()
        self.losses.append((age + gender).item())


NUM_IMAGES = [4, 4, 3, 5, 2]  # of the batches of an epoch


def logged_losses(folder: Path, *overrides: str) -> tuple[RecordingLogger, list[float]]:
    """Train two epochs of five unequal batches, and return what is logged and the loss of each step."""
    trainers.quiet_libraries()
    config = configuration("optimizer.lr=0.5", *overrides)
    network = Fixed(torch.linspace(-1, 1, 40).view(5, 8), torch.linspace(-1, 1, 10).view(5, 2))
    module = AgeGenderModule(network, CrossEntropy(), partial(torch.optim.SGD, lr=0.5))
    logger = RecordingLogger()
    steps = StepLosses()
    trainer = trainers.make_trainer(config["trainer"], folder=folder, callbacks=[steps], logger=logger)
    batches = [batch_of(number, seed) for seed, number in enumerate(NUM_IMAGES)]
    trainer.fit(module, loader_of(batches), loader_of(batches[:2]))
    return logger, steps.losses


def test_the_training_loss_of_an_epoch_is_the_mean_over_its_images(tmp_path: Path) -> None:
    logger, losses = logged_losses(tmp_path)
    by_hand = [np.average(losses[:5], weights=NUM_IMAGES), np.average(losses[5:], weights=NUM_IMAGES)]
    assert logger.values("train/loss") == pytest.approx({4: by_hand[0], 9: by_hand[1]}, rel=1e-5)
    assert by_hand[1] < by_hand[0]


@pytest.mark.parametrize(("every", "steps"), [(1, range(10)), (2, [1, 3, 5, 7, 9]), (3, [2, 5, 8]), (50, [])])
def test_the_loss_of_a_step_is_logged_at_every_nth_step_of_the_whole_run(
    every: int, steps: list[int], tmp_path: Path
) -> None:
    logger, losses = logged_losses(tmp_path, f"trainer.log_every_n_steps={every}")
    assert logger.values("train/loss_step") == pytest.approx({step: losses[step] for step in steps}, rel=1e-5)


def test_a_validation_in_the_middle_of_an_epoch_does_not_change_its_training_loss(tmp_path: Path) -> None:
    whole, _ = logged_losses(tmp_path)
    halves, _ = logged_losses(tmp_path, "trainer.val_check_interval=2")
    assert len(halves.values("val/loss")) > len(whole.values("val/loss"))
    assert halves.values("train/loss") == whole.values("train/loss")


def test_an_epoch_that_a_limit_of_steps_cuts_short_has_the_mean_of_what_it_saw(tmp_path: Path) -> None:
    logger, losses = logged_losses(tmp_path, "+trainer.max_steps=7")
    assert len(losses) == 7
    by_hand = [np.average(losses[:5], weights=NUM_IMAGES), np.average(losses[5:], weights=NUM_IMAGES[:2])]
    assert list(logger.values("train/loss").values()) == pytest.approx(by_hand, rel=1e-5)


def test_gradients_of_several_batches_do_not_make_the_logged_loss_smaller(tmp_path: Path) -> None:
    logger, losses = logged_losses(tmp_path, "trainer.accumulate_grad_batches=5", "trainer.log_every_n_steps=1")
    assert logger.values("train/loss_step") == pytest.approx({0: losses[4], 1: losses[9]}, rel=1e-5)
    by_hand = [np.average(part, weights=NUM_IMAGES) for part in (losses[:5], losses[5:])]
    assert list(logger.values("train/loss").values()) == pytest.approx(by_hand, rel=1e-5)


def test_scores_and_losses_do_not_depend_on_the_batch_size_of_the_evaluation(face_folder: Path, tmp_path: Path) -> None:
    trainers.quiet_libraries()
    module = build.make_module(configuration("seed=1"))
    found = []
    for eval_batch_size in (3, 7, 100):  # the 19 images in 7 batches, in 3, and in one
        data = UTKFaceDataModule(
            face_folder, image_size=SIZE, batch_size=4, eval_batch_size=eval_batch_size, cache_dir=tmp_path
        )
        trainer = trainers.make_trainer(configuration()["trainer"], folder=tmp_path, callbacks=[], logger=False)
        trainer.validate(module, datamodule=data, verbose=False)
        validated = {key: float(value) for key, value in trainer.callback_metrics.items()}
        trainer.test(module, datamodule=data, verbose=False)
        tested = {key: float(value) for key, value in trainer.callback_metrics.items()}
        matrices = [module.test_scores[f"{key}_confusion"] for key in ("age", "gender")]
        found.append((validated | tested, matrices, len(module.predictions)))
    assert [num_batches for *_, num_batches in found] == [7, 3, 1]
    scores, matrices, _ = found[-1]
    assert {f"{part}/{name}" for part in ("val", "test") for name in ("loss", "age_loss", "age_mae_years")} <= set(
        scores
    )
    for other, other_matrices, _ in found[:-1]:
        assert other == pytest.approx(scores, rel=1e-5)
        assert other_matrices == matrices


def test_the_validation_loss_is_the_mean_over_the_images_and_not_over_the_batches(tmp_path: Path) -> None:
    trainers.quiet_libraries()
    # log(1 + 7 e^-4) where the group is the first, log(e^4 + 7) where it is another; log 2 for the gender
    module = AgeGenderModule(Fixed(torch.tensor([[4.0] + [0.0] * 7] * 4), torch.zeros(4, 2)), CrossEntropy())
    batches = [{**batch_of(number, 0), "group": torch.full((number,), group)} for number, group in ((4, 0), (1, 5))]
    trainer = trainers.make_trainer(configuration()["trainer"], folder=tmp_path, callbacks=[], logger=False)
    trainer.validate(module, loader_of(batches), verbose=False)
    age = (4 * np.log(1 + 7 * np.exp(-4)) + np.log(np.exp(4) + 7)) / 5
    found = {key: float(trainer.callback_metrics[f"val/{key}"]) for key in ("loss", "age_loss", "gender_loss")}
    assert found == pytest.approx({"loss": age + np.log(2), "age_loss": age, "gender_loss": np.log(2)}, rel=1e-5)


def plain_only(value: Any) -> bool:
    """Whether a value consists of JSON's containers, numbers and strings only."""
    if isinstance(value, dict):
        return type(value) is dict and all(type(key) is str and plain_only(inner) for key, inner in value.items())
    if isinstance(value, list):
        return type(value) is list and all(plain_only(inner) for inner in value)
    return type(value) in (str, int, float, bool, type(None))


def test_a_checkpoint_is_read_without_running_code_and_tells_its_configuration_in_plain_containers(
    tmp_path: Path,
) -> None:
    config = configuration("trainer.max_epochs=1")
    _, trainer = trained(config, tmp_path)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    content = torch.load(tmp_path / "a.ckpt", weights_only=True)
    assert content["agegender_config"] == config
    assert plain_only(content["agegender_config"])
    assert content["agegender_val"]["age_accuracy"] in [hits / 4 for hits in range(5)]


def test_a_module_that_was_built_to_be_used_has_no_optimizer() -> None:
    with pytest.raises(AssertionError, match="to be used, not trained"):
        AgeGenderModule(Fixed(torch.zeros(1, 8), torch.zeros(1, 2)), CrossEntropy()).configure_optimizers()


@pytest.mark.parametrize("seed", [0, 5, -5, hash((1, 2, 3)), hash((3, 7, 11, 0))])
def test_a_step_draws_the_numbers_of_torchs_own_seed(seed: int) -> None:
    torch.manual_seed(seed)
    expected = torch.rand(4)
    _seed_generators(seed, torch.device("cpu"))
    assert torch.equal(torch.rand(4), expected)
