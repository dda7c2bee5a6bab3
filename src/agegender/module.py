"""A network and a method as one LightningModule."""

from collections.abc import Callable, Iterable
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from agegender import metrics
from agegender.losses.base import AgePrediction, Method
from agegender.models.heads import FaceOutputs

# Mean and standard deviation of ImageNet's pixels, RGB, in [0, 1]: what pretrained weights expect; the same for all.
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)


class AgeGenderModule(lightning.LightningModule):
    """Trains both tasks of a network with one method for age.

    Args:
        network: gives `FaceOutputs` for normalized images.
        method: reads its age outputs.
        optimizer: makes the optimizer from the parameters; None if nothing is trained.
        config: resolved, in plain containers; travels in the checkpoint.
        seed: of dropout, together with the epoch: a resumed job draws what it would have drawn.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        method: Method,
        optimizer: Callable[[Iterable[nn.Parameter]], Optimizer] | None = None,
        *,
        config: dict[str, Any] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        self.method = method
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(_STD).view(1, 3, 1, 1) * 255, persistent=False)
        self.val_metrics, self.test_metrics = metrics.face_metrics(), metrics.face_metrics()
        self.val_scores: dict[str, Any] = {}
        self.test_scores: dict[str, Any] = {}
        self.predictions: list[dict[str, Tensor]] = []
        self._optimizer, self._config, self._seed = optimizer, config or {}, seed

    def forward(self, images: Tensor) -> FaceOutputs:
        """Read uint8 (B, 3, H, W); give raw outputs in float32."""
        outputs = self.network((images.float() - self.mean) / self.std)
        return FaceOutputs(outputs.age.float(), outputs.gender.float())

    def configure_optimizers(self) -> Optimizer:
        assert self._optimizer is not None, "this module was built to be used, not trained"
        return self._optimizer(self.network.parameters())

    def on_train_epoch_start(self) -> None:
        torch.manual_seed(hash((self._seed, self.current_epoch, self.global_rank)))  # integers hash the same everywhere

    def training_step(self, batch: dict[str, Tensor]) -> Tensor:
        return self._step(batch, "train")[0]

    def validation_step(self, batch: dict[str, Tensor]) -> None:
        self._step(batch, "val", self.val_metrics)

    def test_step(self, batch: dict[str, Tensor]) -> None:
        _, outputs, age = self._step(batch, "test", self.test_metrics)
        self.predictions.append(
            {"row": batch["row"], "group": age.group, "years": age.years, "gender": outputs.gender.softmax(dim=1)}
        )

    def _step(
        self, batch: dict[str, Tensor], part: str, collection: metrics.MetricCollection | None = None
    ) -> tuple[Tensor, FaceOutputs, AgePrediction]:
        outputs = self(batch["images"])
        age_loss = self.method(outputs.age, batch["group"], batch["years"])
        gender_loss = functional.cross_entropy(outputs.gender, batch["gender"])
        loss = age_loss + self.method.gender_weight * gender_loss
        with torch.no_grad():
            age = self.method.decode(outputs.age)
        losses = {f"{part}/loss": loss, f"{part}/age_loss": age_loss, f"{part}/gender_loss": gender_loss}
        self.log_dict(losses, on_step=False, on_epoch=True, batch_size=len(batch["group"]), sync_dist=part != "train")
        if collection is not None:
            metrics.update(
                collection,
                age=(age.group.argmax(dim=1), batch["group"]),
                gender=(outputs.gender.argmax(dim=1), batch["gender"]),
                years=(age.years, batch["years"]),
            )
        return loss, outputs, age

    def on_validation_epoch_end(self) -> None:
        self.val_scores = self._log_scores("val", self.val_metrics)

    def on_test_epoch_start(self) -> None:
        self.predictions = []

    def on_test_epoch_end(self) -> None:
        self.test_scores = self._log_scores("test", self.test_metrics)

    def _log_scores(self, part: str, collection: metrics.MetricCollection) -> dict[str, Any]:
        scores = metrics.scores(collection.compute())
        collection.reset()
        self.log_dict({f"{part}/{key}": value for key, value in metrics.scalars(scores).items()})
        return scores

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["agegender_config"] = self._config
        checkpoint["agegender_val"] = self.val_scores
