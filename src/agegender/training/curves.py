"""What a logger plots beside the losses and scores: learning rate, norm of the gradients, images per second."""

import lightning
import torch
from torch import nn
from torch.optim import Optimizer

from agegender.training.timing import FitTimer


class Curves(lightning.Callback):
    """Logs `train/lr` and `train/grad_norm` at steps, `train/images_per_second` at epochs.

    Args:
        timer: of the training.
    """

    def __init__(self, timer: FitTimer) -> None:
        self._timer = timer

    def on_before_optimizer_step(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, optimizer: Optimizer
    ) -> None:
        """Log before the gradients are clipped; a loss scaled for mixed precision is unscaled by now."""
        every = trainer.log_every_n_steps  # pyright: ignore[reportAttributeAccessIssue]
        if every and (trainer.global_step + 1) % every == 0:
            gradients = [weight.grad for weight in pl_module.parameters() if weight.grad is not None]
            norm = nn.utils.get_total_norm(gradients) if gradients else torch.zeros(())
            pl_module.log("train/grad_norm", norm.detach(), on_step=True, on_epoch=False)
            pl_module.log("train/lr", optimizer.param_groups[0]["lr"], on_step=True, on_epoch=False)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        pl_module.log("train/images_per_second", self._timer.epoch_images_per_second)
