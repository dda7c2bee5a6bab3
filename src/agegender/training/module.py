"""A network and a method as one LightningModule."""

from collections.abc import Callable, Iterable
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from agegender.losses.base import Method
from agegender.models.heads import FaceOutputs, average
from agegender.models.normalization import IMAGENET, Normalizer, from_dict
from agegender.training import metrics
from agegender.training.augment import Augment, shifted


class _LossTally:
    """Means of the losses over an epoch, summed where they are: nothing waits for a GPU before the end."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._sum, self._num = torch.zeros(()), 0

    def add(self, losses: tuple[Tensor, ...], num_images: float) -> None:
        self._sum = self._sum.to(losses[0].device) + torch.stack(losses).detach() * num_images
        self._num += num_images

    def state(self) -> dict[str, Any]:
        return {"sum": self._sum.clone(), "num": self._num}

    def restore(self, state: dict[str, Any]) -> None:
        self._sum, self._num = state["sum"], state["num"]

    def means(self, part: str) -> dict[str, Tensor]:
        names = ("loss", "age_loss", "gender_loss")
        return {f"{part}/{name}": value for name, value in zip(names, self._sum / self._num, strict=True)}


def _parameter_groups(module: nn.Module) -> list[dict[str, Any]]:
    """Split parameters in two: those that decay with the optimizer's weight decay, and biases and normalizations."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    weights = [parameter for parameter in trained if parameter.ndim > 1]
    others = [parameter for parameter in trained if parameter.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": weights}, {"params": others, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def _seed_generators(seed: int, device: torch.device) -> None:
    """Seed the CPU's generator and that of the device, with the numbers of `torch.manual_seed`.

    That also visits every kind of device that is not in use, which took 0.3 ms a step on the CPU.
    """
    if device.type not in ("cpu", "cuda"):
        torch.manual_seed(seed)
        return
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(seed)


class AgeGenderModule(lightning.LightningModule):
    """Trains both tasks of a network with one method for age.

    Args:
        network: gives `FaceOutputs` for normalized images; by ImageNet's mean and deviation, or those of its attribute
            `normalization`.
        method: reads its age outputs.
        optimizer: makes the optimizer from parameter groups; None if nothing is trained.
        schedule: makes the scheduler of learning rates from the optimizer and its number of steps; None: constant.
        augment: changes training images; None: they stay as they are.
        test_time_flip: in evaluation, read each image and its mirror image and average the outputs.
        test_time_shift: a share of the side; beside each image, read it shifted so far along both diagonals. Not in the
            validations of a training, which would take five times as long.
        config: resolved, in plain containers; travels in the checkpoint.
        seed: of dropout and augmentation, together with the step: a resumed job draws what it would have drawn.
    """

    def __init__(
        self,
        network: nn.Module,
        method: Method,
        optimizer: Callable[[Iterable[dict[str, Any]]], Optimizer] | None = None,
        *,
        schedule: Callable[[Optimizer, int], LRScheduler] | None = None,
        augment: Augment | None = None,
        test_time_flip: bool = False,
        test_time_shift: float = 0.0,
        config: dict[str, Any] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        self.method = method
        self.normalizer = Normalizer(getattr(network, "normalization", IMAGENET))
        self.val_scores: dict[str, Any] = {}
        self.test_scores: dict[str, Any] = {}
        self.predictions: list[dict[str, Tensor]] = []
        # Two: a validation may come in the middle of a training epoch.
        self._train_losses, self._eval_losses = _LossTally(), _LossTally()
        self._optimizer, self._schedule, self._config, self._seed = optimizer, schedule, config or {}, seed
        self.augment, self.test_time_flip, self.test_time_shift = augment, test_time_flip, test_time_shift

    def forward(self, images: Tensor, *, shift: bool = True) -> FaceOutputs:
        """Read uint8 (B, 3, H, W); give raw outputs in float32.

        Args:
            images: as they are stored.
            shift: whether to read shifted images too, where `test_time_shift` asks for them.
        """
        views = [self.normalizer(images)]
        if self.training:
            return self._read(views[0])
        if shift and self.test_time_shift:
            views += shifted(views[0], self.test_time_shift)
        if self.test_time_flip:
            views += [view.flip(3) for view in views]
        return average([self._read(view) for view in views])

    def _read(self, images: Tensor) -> FaceOutputs:
        """Read normalized (B, 3, H, W); give raw outputs in float32. The network's dtype depends on the precision."""
        return self.network(images.to(self.dtype)).float()

    def make_optimizer(self) -> Optimizer:
        """Make the optimizer of network and method, without the schedule, which needs a trainer."""
        assert self._optimizer is not None, "this module was built to be used, not trained"
        return self._optimizer(_parameter_groups(self))

    def configure_optimizers(self) -> Any:
        optimizer = self.make_optimizer()
        if self._schedule is None:
            return optimizer
        scheduler = self._schedule(optimizer, int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_train_epoch_start(self) -> None:
        self._train_losses.reset()

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        # Integers hash the same everywhere.
        _seed_generators(hash((self._seed, self.current_epoch, batch_idx, self.global_rank)), self.device)
        if self.augment is not None:  # here, as a job that goes on within an epoch does not start it
            self.augment.progress = self.current_epoch / (self.trainer.max_epochs or 1)

    def training_step(self, batch: dict[str, Tensor]) -> Tensor:
        if self.augment is None:
            return self._step(batch, self(batch["images"]), self._train_losses)
        images = self.augment.change(self.normalizer(self.augment.move(batch["images"])))
        if not self.augment.mixup:
            return self._step(batch, self._read(images), self._train_losses)
        images, partner, share = self.augment.mix(images)
        others = {key: value[partner] for key, value in batch.items() if key != "images"}
        outputs = self._read(images)
        own = self._step(batch, outputs, self._train_losses, share)
        return own + self._step(others, outputs, self._train_losses, 1 - share)

    def validation_step(self, batch: dict[str, Tensor]) -> None:
        self._evaluate(batch, self(batch["images"], shift=False))

    def test_step(self, batch: dict[str, Tensor]) -> None:
        self._evaluate(batch, self(batch["images"]))

    def _step(self, batch: dict[str, Tensor], outputs: FaceOutputs, tally: _LossTally, share: float = 1.0) -> Tensor:
        """Give the share of the batch's loss that its labels have: of an ensemble the mean of its members' losses."""
        trained = outputs.members or (outputs,)
        age_loss = torch.stack([self.method(one.age, batch["group"], batch["years"]) for one in trained]).mean()
        gender_loss = torch.stack([functional.cross_entropy(one.gender, batch["gender"]) for one in trained]).mean()
        loss = age_loss + self.method.gender_weight * gender_loss
        tally.add((loss, age_loss, gender_loss), share * len(batch["group"]))
        return share * loss

    def _evaluate(self, batch: dict[str, Tensor], outputs: FaceOutputs) -> None:
        self._step(batch, outputs, self._eval_losses)
        age = self.method.decode(outputs.age)
        gender = outputs.gender.softmax(dim=1)
        # Copies: small pieces that stay where a batch came from break up the room that the next batch would take.
        labels = {f"true_{key}": batch[key].clone() for key in ("group", "gender", "years")}
        self.predictions.append(
            {"row": batch["row"].clone(), "group": age.group, "years": age.years, "gender": gender} | labels
        )

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        trainer = self.trainer
        # Steps are counted over all epochs, as Lightning counts them, which else would not pass the value on.
        if trainer.global_step % trainer.log_every_n_steps == 0:  # pyright: ignore[reportAttributeAccessIssue]
            loss = outputs["loss"] * trainer.accumulate_grad_batches  # by which Lightning has divided it
            self.log("train/loss_step", loss, on_step=True, on_epoch=False)
        if trainer.is_last_batch or trainer.global_step == trainer.max_steps:
            self.log_dict(self._train_losses.means("train"), on_step=False, on_epoch=True, batch_size=1)

    def on_validation_epoch_start(self) -> None:
        self._begin_evaluation()

    def on_test_epoch_start(self) -> None:
        self._begin_evaluation()

    def _begin_evaluation(self) -> None:
        self.predictions = []
        self._eval_losses.reset()

    def on_validation_epoch_end(self) -> None:
        scores = self._log_scores("val")
        self.val_scores = {} if self.trainer.sanity_checking else scores

    def on_test_epoch_end(self) -> None:
        """Score the test part.

        Raises:
            FloatingPointError: the network's outputs are no numbers, of which nothing else would tell.
        """
        for batch in self.predictions:
            if not all(batch[key].isfinite().all() for key in ("group", "gender", "years")):
                raise FloatingPointError("the outputs are not finite: training diverged; try a smaller optimizer.lr")
        self.test_scores = self._log_scores("test")

    def _log_scores(self, part: str) -> dict[str, Any]:
        """Score all that was predicted at once: a metric per batch would make a GPU wait for each."""
        joined = {key: torch.cat([batch[key] for batch in self.predictions]).cpu() for key in self.predictions[0]}
        scores = metrics.scores(
            age=(joined["group"].argmax(dim=1), joined["true_group"]),
            gender=(joined["gender"].argmax(dim=1), joined["true_gender"]),
            years=(joined["years"], joined["true_years"]),
        )
        self.log_dict(
            self._eval_losses.means(part) | {f"{part}/{key}": value for key, value in metrics.scalars(scores).items()}
        )
        return scores

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["agegender_config"] = self._config
        checkpoint["agegender_normalization"] = self.normalizer.normalization.to_dict()
        checkpoint["agegender_val"] = self.val_scores
        checkpoint["agegender_train_losses"] = self._train_losses.state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.normalizer.use(from_dict(checkpoint.get("agegender_normalization")))
        state = checkpoint.get("agegender_train_losses")
        if state is not None:  # of an epoch that goes on; the next one begins with a reset
            self._train_losses.restore(state)
