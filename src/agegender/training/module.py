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
    """Means of the losses over an epoch, summed on their device: nothing waits for a GPU before the end."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._sum = torch.zeros(())
        self._num: float | Tensor = 0

    def add(self, losses: tuple[Tensor, ...], num_images: float | Tensor) -> None:
        """Add the losses of a batch; `num_images` of each, (3,), where labels are missing."""
        self._sum = self._sum.to(losses[0].device) + torch.stack(losses).detach() * num_images
        self._num += num_images

    def state(self) -> dict[str, Any]:
        num = self._num.clone() if isinstance(self._num, Tensor) else self._num
        return {"sum": self._sum.clone(), "num": num}

    def restore(self, state: dict[str, Any]) -> None:
        self._sum = state["sum"]
        self._num = state["num"]

    def means(self, part: str) -> dict[str, Tensor]:
        names = ("loss", "age_loss", "gender_loss")
        return {f"{part}/{name}": value for name, value in zip(names, self._sum / self._num, strict=True)}


def _gender_loss(outputs: Tensor, gender: Tensor, known: Tensor) -> Tensor:
    if not known.any():
        return 0 * outputs.sum()
    return functional.cross_entropy(outputs[known], gender[known])


def _exact_years(joined: dict[str, Tensor]) -> Tensor:
    """Return the true ages, (N,), -1 where only a range is known, also if a training takes its middle."""
    if "true_span" not in joined:
        return joined["true_years"]
    first, last = joined["true_span"].unbind(dim=1)
    return torch.where(first == last, first, -1)


def _parameter_groups(module: nn.Module) -> list[dict[str, Any]]:
    """Split the parameters in two groups: weights, which decay, and biases and normalizations, which do not."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    weights = [parameter for parameter in trained if parameter.ndim > 1]
    others = [parameter for parameter in trained if parameter.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": weights}, {"params": others, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def _seed_generators(seed: int, device: torch.device) -> None:
    """Seed the generators of the CPU and of the device, with the same effect on them as `torch.manual_seed`.

    That function also seeds all kinds of devices that are not in use, which took 0.3 ms per step on the CPU.
    """
    if device.type not in ("cpu", "cuda"):
        torch.manual_seed(seed)
        return
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(seed)


class AgeGenderModule(lightning.LightningModule):
    """Trains a network on both tasks, age by a method and gender by cross-entropy.

    Args:
        network: returns `FaceOutputs` for images that are normalized as its attribute `normalization` says, or by
            ImageNet's mean and standard deviation.
        method: loss and decoding of the age outputs.
        optimizer: makes the optimizer from parameter groups; None if nothing is trained.
        schedule: makes the scheduler of learning rates from the optimizer and its number of steps; None: constant.
        augment: augments training images; None: no augmentation.
        test_time_flip: in evaluation, average the outputs of each image and its mirror image.
        test_time_shift: in evaluation, average the outputs of each image and four copies, shifted along both diagonals
            by this share of the side. Not in the validations of a training, which would take five times as long.
        config: resolved, in plain containers; stored in checkpoints.
        seed: of dropout and augmentation, together with epoch and batch: a resumed job draws the same numbers.
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
        # Two tallies, since a validation may take place in the middle of a training epoch.
        self._train_losses = _LossTally()
        self._eval_losses = _LossTally()
        self._optimizer = optimizer
        self._schedule = schedule
        self._config = config or {}
        self._seed = seed
        self.augment = augment
        self.test_time_flip = test_time_flip
        self.test_time_shift = test_time_shift

    def forward(self, images: Tensor, *, shift: bool = True) -> FaceOutputs:
        """Compute raw outputs in float32.

        Args:
            images: uint8 (B, 3, H, W).
            shift: whether to apply `test_time_shift`.
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
        """Compute raw outputs in float32 of normalized (B, 3, H, W); the network's dtype depends on the precision."""
        return self.network(images.to(self.dtype)).float()

    def make_optimizer(self) -> Optimizer:
        """Make the optimizer for the parameters of network and method; the schedule needs a trainer."""
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
        # Python hashes a tuple of integers to the same value in every process.
        _seed_generators(hash((self._seed, self.current_epoch, batch_idx, self.global_rank)), self.device)
        if self.augment is not None:  # not at the start of the epoch, which a job that resumes within it skips
            self.augment.progress = self.current_epoch / (self.trainer.max_epochs or 1)

    def training_step(self, batch: dict[str, Tensor]) -> Tensor:
        if self.augment is None:
            return self._step(batch, self(batch["images"]), self._train_losses)
        images = self.augment.change(self.normalizer(self.augment.move(batch["images"])))
        if not self.augment.mixup:
            return self._step(batch, self._read(images), self._train_losses)
        images, partner, share = self.augment.mix(images)
        partner_labels = {key: value[partner] for key, value in batch.items() if key != "images"}
        outputs = self._read(images)
        own_loss = self._step(batch, outputs, self._train_losses, share)
        return own_loss + self._step(partner_labels, outputs, self._train_losses, 1 - share)

    def validation_step(self, batch: dict[str, Tensor]) -> None:
        self._evaluate(batch, self(batch["images"], shift=False))

    def test_step(self, batch: dict[str, Tensor]) -> None:
        self._evaluate(batch, self(batch["images"]))

    def _step(self, batch: dict[str, Tensor], outputs: FaceOutputs, tally: _LossTally, share: float = 1.0) -> Tensor:
        """Return the batch's loss times a share; for an ensemble the mean of its members' losses."""
        if "span" in batch:
            return self._masked_step(batch, outputs, tally, share)
        members = outputs.members or (outputs,)
        age_loss = torch.stack([self.method(member.age, batch["group"], batch["years"]) for member in members]).mean()
        gender_losses = [functional.cross_entropy(member.gender, batch["gender"]) for member in members]
        gender_loss = torch.stack(gender_losses).mean()
        loss = age_loss + self.method.gender_weight * gender_loss
        tally.add((loss, age_loss, gender_loss), share * len(batch["group"]))
        return share * loss

    def _masked_step(self, batch: dict[str, Tensor], outputs: FaceOutputs, tally: _LossTally, share: float) -> Tensor:
        """Return the loss as `_step` does; each task's is the mean over the images whose label is known."""
        members = outputs.members or (outputs,)
        aged = batch["group"] >= 0
        if self.method.needs_years:
            aged &= batch["years"] >= 0
        gendered = batch["gender"] >= 0
        age_loss = torch.stack([self._age_loss(member.age, batch, aged) for member in members]).mean()
        gender_loss = torch.stack([_gender_loss(member.gender, batch["gender"], gendered) for member in members]).mean()
        loss = age_loss + self.method.gender_weight * gender_loss
        num_images = torch.stack([torch.ones_like(aged).sum(), aged.sum(), gendered.sum()])
        tally.add((loss, age_loss, gender_loss), share * num_images)
        return share * loss

    def _age_loss(self, outputs: Tensor, batch: dict[str, Tensor], known: Tensor) -> Tensor:
        if not known.any():
            return 0 * outputs.sum()  # so that every parameter has a gradient, as distributed training needs
        return self.method(outputs[known], batch["group"][known], batch["years"][known])

    def _evaluate(self, batch: dict[str, Tensor], outputs: FaceOutputs) -> None:
        self._step(batch, outputs, self._eval_losses)
        age = self.method.decode(outputs.age)
        gender = outputs.gender.softmax(dim=1)
        # Copies, since these small tensors would otherwise stay in the batch's memory and fragment it.
        labels = {f"true_{key}": batch[key].clone() for key in ("group", "gender", "years", "span") if key in batch}
        self.predictions.append(
            {"row": batch["row"].clone(), "group": age.group, "years": age.years, "gender": gender} | labels
        )

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        trainer = self.trainer
        # Counted over all epochs, as Lightning does: at other steps it would not pass the value to the logger.
        if trainer.global_step % trainer.log_every_n_steps == 0:  # pyright: ignore[reportAttributeAccessIssue]
            loss = outputs["loss"] * trainer.accumulate_grad_batches  # Lightning has divided the loss by that
            self.log("train/loss_step", loss, on_step=True, on_epoch=False)
        if trainer.is_last_batch or trainer.global_step == trainer.max_steps:
            self.log_dict(self._train_losses.means("train"), on_step=False, on_epoch=True, batch_size=1)

    def on_validation_epoch_start(self) -> None:
        self._start_evaluation()

    def on_test_epoch_start(self) -> None:
        self._start_evaluation()

    def _start_evaluation(self) -> None:
        self.predictions = []
        self._eval_losses.reset()

    def on_validation_epoch_end(self) -> None:
        scores = self._log_scores("val")
        self.val_scores = {} if self.trainer.sanity_checking else scores

    def on_test_epoch_end(self) -> None:
        """Score the test part.

        Raises:
            FloatingPointError: the network's outputs are not finite; scores alone would not show that.
        """
        for batch in self.predictions:
            if not all(batch[key].isfinite().all() for key in ("group", "gender", "years")):
                raise FloatingPointError("the outputs are not finite: training diverged; try a smaller optimizer.lr")
        self.test_scores = self._log_scores("test")

    def _log_scores(self, part: str) -> dict[str, Any]:
        """Score all predictions at once: a metric per batch would make the GPU wait after each batch."""
        joined = {key: torch.cat([batch[key] for batch in self.predictions]).cpu() for key in self.predictions[0]}
        scores = metrics.scores(
            age=(joined["group"].argmax(dim=1), joined["true_group"]),
            gender=(joined["gender"].argmax(dim=1), joined["true_gender"]),
            years=(joined["years"], _exact_years(joined)),
            span=joined.get("true_span"),
            num_groups=joined["group"].shape[1],
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
        if state is not None:  # for an epoch that is resumed; a new epoch starts with a reset
            self._train_losses.restore(state)
