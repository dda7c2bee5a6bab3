"""UTKFace as a LightningDataModule: scan, split, cache, batches."""

import logging
import os
from collections import Counter
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torch.utils.data.distributed import DistributedSampler

from agegender import labels
from agegender.data.cache import Cache, OnDemand, Pixels
from agegender.data.faces import FaceTable, Source
from agegender.data.split import PARTS, make_split, manifest_hash, read_split
from agegender.data.utkface import open_source
from agegender.errors import InputError

Batch = dict[str, Tensor]

log = logging.getLogger(__name__)


class FaceDataset(Dataset[Batch]):
    """One part of the data; a batch is gathered at once, without a step per image.

    A batch holds `images`, uint8 (B, 3, H, W), channels last in memory; `years`, `group`, `gender`, int64 (B,); and
    `row`, int64 (B,), the image's row in the table.
    """

    def __init__(self, pixels: Pixels, table: FaceTable, group_of_age: np.ndarray, rows: np.ndarray) -> None:
        self._pixels = pixels
        self._rows = torch.from_numpy(rows)
        self._years = torch.from_numpy(table.ages[rows])
        self._group = torch.from_numpy(group_of_age[table.ages[rows]])
        self._gender = torch.from_numpy(table.genders[rows])

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Batch:
        return {key: value[0] for key, value in self.__getitems__([index]).items()}

    def __getitems__(self, indices: list[int]) -> Batch:
        index = torch.tensor(indices)
        rows = self._rows[index]
        images = torch.from_numpy(np.ascontiguousarray(self._pixels[rows.numpy()]))  # uint8 (B, H, W, 3)
        return {
            "images": images.permute(0, 3, 1, 2),  # uint8 until it is on the device: a quarter of the transfer
            "years": self._years[index],
            "group": self._group[index],
            "gender": self._gender[index],
            "row": rows,
        }


class UTKFaceDataModule(lightning.LightningDataModule):
    """Stratified training, validation and test parts of UTKFace, or of any files named like it.

    Args:
        source: the files; or a folder or an archive of them.
        image_size: pixels of a side; images are scaled to a square.
        batch_size: images per step and device, in every part (the paper: 32).
        num_workers: processes that load; None: none with the cache, which is faster so, else one per core.
        limit: use a random sample of so many files; None for all.
        age_groups: `closed`, `nearest` or `strict`, see `agegender.labels`.
        leak_control: see `agegender.data.split.make_split`.
        max_skipped: share of the files that may be unusable before that is an error.
        cache: keep the decoded images in `cache_dir`; False decodes in every epoch.
        cache_dir: where; shared by all jobs.
        split_file: a manifest to use instead of a new split.
        split_seed: of the sample and of the split.
        seed: of the order of the training images.
    """

    def __init__(
        self,
        source: Source | str | os.PathLike[str],
        *,
        image_size: int = 256,
        batch_size: int = 32,
        num_workers: int | None = None,
        limit: int | None = None,
        age_groups: str = "closed",
        leak_control: bool = True,
        max_skipped: float = 0.05,
        cache: bool = True,
        cache_dir: str | os.PathLike[str] = "~/.cache/agegender",
        split_file: str | os.PathLike[str] | None = None,
        split_seed: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.source = open_source(source) if isinstance(source, str | os.PathLike) else source
        self.image_size = image_size
        self.batch_size = batch_size
        self.limit = limit
        self.groups = labels.age_groups(age_groups)
        self.leak_control = leak_control
        self.max_skipped = max_skipped
        self.cache_dir = Path(cache_dir).expanduser() if cache else None
        self.split_file = Path(split_file).expanduser() if split_file is not None else None
        self.split_seed = split_seed
        self.seed = seed
        if num_workers is None:
            num_workers = 0 if cache else len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
        self.num_workers = num_workers
        self._table: FaceTable | None = None

    def setup(self, stage: str = "fit") -> None:
        """Scan and split the data and open the cache, once; every stage needs all of it.

        Raises:
            InputError: too many files cannot be used, too few images, no room for the cache, a wrong manifest.
        """
        if self._table is not None:
            return
        cache = Cache(
            self.source, image_size=self.image_size, limit=self.limit, seed=self.split_seed, folder=self.cache_dir
        )
        table = cache.table()
        self._check_skipped(table)
        if self.split_file is not None:
            self.split = read_split(self.split_file, table, self.groups)
        else:
            self.split = make_split(table, self.groups, leak_control=self.leak_control, seed=self.split_seed)
        self.manifest = self.split.manifest(table.names)
        self.pixels: Pixels = cache.pixels(table)
        self._table = table

    @property
    def table(self) -> FaceTable:
        """All files, after `setup`."""
        assert self._table is not None, "setup() first"
        return self._table

    def _check_skipped(self, table: FaceTable) -> None:
        skipped = table.skipped_by_name
        if not skipped:
            return
        name, reason = next(iter(skipped.items()))
        told = (
            f"{len(skipped):,} of {len(table):,} files of {self.source.label} cannot be used, {name!r} first: {reason}"
        )
        if len(skipped) == len(table):
            raise InputError(f"{told}; nothing is left: is this UTKFace? (agegender audit lists them all)")
        if len(skipped) / len(table) > self.max_skipped:
            raise InputError(
                f"{told}; that is more than data.max_skipped={self.max_skipped:g} allows: raise it, or mend the files "
                "(agegender audit lists them all)"
            )
        log.warning("%s (the others are listed in the record)", told)

    def train_age_counts(self) -> Tensor:
        """Count the training images of each age: int64 (A,)."""
        return torch.bincount(torch.from_numpy(self.table.ages[self.split.train]), minlength=labels.NUM_AGES)

    def dataset(self, part: str) -> FaceDataset:
        """Images of `train`, `val`, `test`, or `all` three."""
        rows = np.concatenate([self.split.rows(name) for name in PARTS]) if part == "all" else self.split.rows(part)
        return FaceDataset(self.pixels, self.table, self.groups.group_of_age, rows)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Training images, in an order that follows from the seed and the epoch, so that a resumed job repeats it."""
        dataset = self.dataset("train")
        world, rank = (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        sampler = DistributedSampler(dataset, num_replicas=world, rank=rank, shuffle=True, seed=self.seed)
        # A last batch of one image has no variance for batch normalization.
        return self._loader(dataset, sampler=sampler, drop_last=len(sampler) % self.batch_size == 1 < len(sampler))

    def val_dataloader(self) -> DataLoader[Batch]:
        return self.evaluation_loader("val")

    def test_dataloader(self) -> DataLoader[Batch]:
        return self.evaluation_loader("test")

    def evaluation_loader(self, part: str) -> DataLoader[Batch]:
        """Images of `train`, `val`, `test`, or `all`, in order."""
        return self._loader(self.dataset(part))

    def _loader(
        self, dataset: FaceDataset, sampler: DistributedSampler[Batch] | None = None, drop_last: bool = False
    ) -> DataLoader[Batch]:
        return DataLoader(
            dataset,
            batch_size=self.batch_size,
            sampler=sampler,
            drop_last=drop_last,
            collate_fn=_as_is,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
        )

    @property
    def manifest_id(self) -> str:
        """Identity of the split: the SHA-256 of its manifest, hexadecimal."""
        return manifest_hash(self.manifest)

    def describe(self) -> dict[str, object]:
        """Tell the record what the data was: plain containers."""
        table, split = self.table, self.split
        group = {part: self.groups.of(table.ages[split.rows(part)]) for part in PARTS}
        return {
            "root": self.source.label,
            "fingerprint": table.fingerprint,
            "image_size": self.image_size,
            "age_groups": {"scheme": self.groups.scheme, "names": list(self.groups.names)},
            "counts": {
                "files": len(table),
                "skipped": int((~table.usable).sum()),
                "dropped": split.dropped,
                **{part: len(split.rows(part)) for part in PARTS},
            },
            "groups": {part: np.bincount(group[part], minlength=len(self.groups.names)).tolist() for part in PARTS},
            "skipped": table.skipped_by_name,
            "skipped_reasons": dict(Counter(reason for reason in table.skipped if reason)),
            "leak_control": self.leak_control if self.split_file is None else None,
            "split_hash": self.manifest_id,
            "cached": not isinstance(self.pixels, OnDemand),
        }


def _as_is(batch: Any) -> Batch:
    return batch
