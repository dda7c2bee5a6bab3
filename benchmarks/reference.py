"""The reference: UTKFace in Lightning as a competent user writes it without this project.

A data set that opens, decodes and resizes each image with Pillow and torchvision's transforms, `DataLoader` workers,
float32, the default memory format, PyTorch's own Adam. Nothing in it is slow on purpose: the number of workers is tuned
to the machine, the workers persist, and the metrics are torchmetrics', updated once per step as in its documentation.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import lightning
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from torchmetrics.classification import MulticlassAccuracy
from torchvision import transforms

from agegender.jobs import build
from agegender.labels import NUM_GROUPS
from agegender.system.cores import available_cores
from benchmarks.clock import StepClock
from benchmarks.subject import Settings

_TUNING_STEPS = 6  # timed for each number of workers
_MEAN = (0.485, 0.456, 0.406)  # ImageNet's
_STD = (0.229, 0.224, 0.225)


class ReferenceDataset(Dataset[tuple[Tensor, int, int]]):
    """Image files with an age group and a gender for each."""

    def __init__(self, paths: Sequence[Path], groups: Sequence[int], genders: Sequence[int], image_size: int) -> None:
        self.paths = paths
        self.groups = groups
        self.genders = genders
        self.transform = transforms.Compose(
            [transforms.Resize((image_size, image_size)), transforms.ToTensor(), transforms.Normalize(_MEAN, _STD)]
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, int, int]:
        with Image.open(self.paths[index]) as image:
            tensor: Tensor = self.transform(image.convert("RGB"))  # pyright: ignore[reportAssignmentType]
        return tensor, self.groups[index], self.genders[index]


class ReferenceModule(lightning.LightningModule):
    """Cross-entropy over both tasks."""

    def __init__(self, network: nn.Module, num_groups: int, lr: float = 1e-4) -> None:
        super().__init__()
        self.network = network
        self.lr = lr
        self.age_accuracy = MulticlassAccuracy(num_groups, average="micro")
        self.gender_accuracy = MulticlassAccuracy(2, average="micro")

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        images, group, gender = batch
        outputs = self.network(images)
        loss = functional.cross_entropy(outputs.age, group) + functional.cross_entropy(outputs.gender, gender)
        self.log("train/loss", loss)
        return loss

    def test_step(self, batch: tuple[Tensor, Tensor, Tensor]) -> None:
        images, group, gender = batch
        outputs = self.network(images)
        self.age_accuracy(outputs.age, group)
        self.gender_accuracy(outputs.gender, gender)
        self.log_dict({"age_accuracy": self.age_accuracy, "gender_accuracy": self.gender_accuracy})

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.lr)


class Reference:
    """The reference pipeline on the training images of a job.

    Args:
        config: of the job; its network is trained, from the same seed.
        settings: sizes.
        num_workers: of its loaders; None: tuned.
    """

    def __init__(self, config: dict[str, Any], settings: Settings, num_workers: int | None = None) -> None:
        self._config = config
        self._settings = settings
        datamodule = build.make_datamodule(config)
        datamodule.setup()
        self.datamodule = datamodule
        self.train = self._dataset("train")
        self.test = self._dataset("test")
        self.num_workers = self._tuned_workers() if num_workers is None else num_workers

    def _dataset(self, part: str) -> ReferenceDataset:
        table = self.datamodule.table
        rows = self.datamodule.split.rows(part)
        root = Path(self._config["data"]["root"])
        groups = table.groups(self.datamodule.groups)[rows].tolist()
        paths = [root / table.names[row] for row in rows]
        return ReferenceDataset(paths, groups, table.genders[rows].tolist(), self._settings.image_size)

    def module(self) -> ReferenceModule:
        builder = build.network_builder(self._config, NUM_GROUPS)
        lightning.seed_everything(self._config["seed"], verbose=False)
        return ReferenceModule(builder(self._settings.image_size), NUM_GROUPS, lr=self._config["optimizer"]["lr"])

    def trainer(self, callbacks: Iterable[lightning.Callback], **arguments: Any) -> lightning.Trainer:
        return lightning.Trainer(
            accelerator=self._config["trainer"]["accelerator"],
            devices=1,
            logger=False,
            callbacks=list(callbacks),
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=self._settings.folder,
            **arguments,
        )

    def loader(self, dataset: ReferenceDataset, num_workers: int, *, shuffle: bool = False) -> DataLoader[Any]:
        """Make a loader with persistent workers, into page-locked memory if there is a GPU."""
        return DataLoader(
            dataset,
            batch_size=self._settings.batch_size,
            shuffle=shuffle,
            num_workers=num_workers,
            persistent_workers=num_workers > 0,
            pin_memory=self._config["trainer"]["accelerator"] != "cpu" and torch.cuda.is_available(),
        )

    def fit(self, *, num_workers: int | None = None, steps: int | None = None) -> float:
        """Train some steps and return the images per second."""
        clock = StepClock(self._settings.warm_steps)
        total = self._settings.warm_steps + (steps or self._settings.steps)
        trainer = self.trainer([clock], max_epochs=1, limit_train_batches=total)
        workers = self.num_workers if num_workers is None else num_workers
        trainer.fit(self.module(), self.loader(self.train, workers, shuffle=True))
        return clock.images_per_second(self._settings.batch_size)

    def _tuned_workers(self) -> int:
        """Try 0, 1, ... as many workers as cores, at most 16, and return the fastest number."""
        speeds = {n: self.fit(num_workers=n, steps=_TUNING_STEPS) for n in range(min(len(available_cores()), 16) + 1)}
        return max(speeds, key=lambda n: speeds[n])
