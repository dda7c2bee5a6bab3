"""UTKFace as a LightningDataModule: scan, split, cache, batches."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler, SequentialSampler
from torch.utils.data.distributed import DistributedSampler

from agegender import labels
from agegender.data.cache import Cache
from agegender.data.checks import check_skipped, report_labels, report_photographs
from agegender.data.dataset import Batch, FaceDataset, copy_to, fits, middle_ages
from agegender.data.labelled import LabelledSource
from agegender.data.loading import BatchLoader, WorkerLoader
from agegender.data.pixels import OnDemand, Pixels
from agegender.data.protocols import Protocol, split_by
from agegender.data.sources.base import FaceTable, Source
from agegender.data.sources.utkface import open_source
from agegender.data.split import PARTS, make_split, manifest_hash, read_split
from agegender.system.cores import available_cores
from agegender.system.errors import InputError

_EVAL_BATCHES = 4  # training batches in an evaluation batch on a GPU, which needs no memory for gradients
_SAMPLE_SEED = 0  # of data.limit


class UTKFaceDataModule(lightning.LightningDataModule):
    """Stratified training, validation and test parts of UTKFace, or of other files with names like UTKFace's.

    Args:
        source: the files; or a folder or an archive of them.
        image_size: pixels of a side; images are scaled to a square.
        train_part: the part to train on: `train`, or `trainval`, which leaves no part for validation.
        batch_size: images per training step and device (the paper: 32).
        eval_batch_size: images per step of an evaluation; None: as in training, and four times that on a GPU.
        num_workers: processes that load images; None: 0 with the cache, which is faster, else one per core.
        resident: keep the decoded images on the GPU; None: if they take at most a quarter of its free memory.
        limit: size of a random sample of the files; None for all files.
        age_groups: `closed`, `nearest`, `strict`, or the first year of each group; see `agegender.labels`.
        leak_control: see `agegender.data.split.make_split`.
        max_skipped: share of the files that may be unusable before that is an error.
        cache: store the decoded images in `cache_dir`; False: decode them in every epoch.
        cache_dir: directory that all jobs share.
        split_file: a manifest to use instead of a new split.
        split_seed: of the sample and of the split.
        split: `official` uses the set's own parts; None: `random`.
        fold: to test on, of the set's own folds, or of `folds`; the others are trained and validated on.
        folds: number of the folds of a cross-validation.
        years: `midpoint` takes the middle of a range as an age in years, for losses that need one; None: `exact`.
        seed: of the order of the training images.

    Attributes:
        resident_bytes: of decoded images that this process has kept on a device at once, at most.
    """

    def __init__(
        self,
        source: Source | str | os.PathLike[str],
        *,
        image_size: int = 256,
        train_part: str = "train",
        batch_size: int = 32,
        eval_batch_size: int | None = None,
        num_workers: int | None = None,
        resident: bool | None = None,
        limit: int | None = None,
        age_groups: str | Sequence[int] = "closed",
        leak_control: bool = True,
        max_skipped: float = 0.05,
        cache: bool = True,
        cache_dir: str | os.PathLike[str] = "~/.cache/agegender",
        split_file: str | os.PathLike[str] | None = None,
        split_seed: int = 0,
        split: str | None = None,
        fold: int | None = None,
        folds: int | None = None,
        years: str | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.source = open_source(source) if isinstance(source, str | os.PathLike) else source
        self.image_size = image_size
        self.train_part = train_part
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.resident = resident
        self.limit = limit
        self.groups = labels.age_groups(age_groups)
        self.leak_control = leak_control
        self.max_skipped = max_skipped
        self.cache_dir = Path(cache_dir).expanduser() if cache else None
        self.split_file = Path(split_file).expanduser() if split_file is not None else None
        self.split_seed = split_seed
        self.protocol = Protocol(official=split == "official", fold=fold, num_folds=folds)
        if self.split_file is not None and not self.protocol.is_random:
            raise InputError(f"data.split_file={split_file} is a split already; leave out data.split and data.fold")
        self.midpoints = years == "midpoint"
        self.seed = seed
        if num_workers is None:
            num_workers = 0 if cache else len(available_cores())
        if resident and (num_workers > 0 or not cache):
            raise InputError(
                f"data.resident=true with data.num_workers={num_workers} and data.cache={cache}: images that stay on a "
                "device are copied there from the cache, without workers; use data.num_workers=0 and data.cache=true"
            )
        self.num_workers = num_workers
        self._table: FaceTable | None = None
        self._on_device: Tensor | None = None
        self.resident_bytes = 0

    def setup(self, stage: str = "fit") -> None:
        """Scan and split the data and open the cache, once; every stage needs all of that.

        Raises:
            InputError: too many files are unusable, there are too few images, or the manifest does not fit.
            MachineError: the disk has too little space for the cache.
        """
        if self._table is not None:
            return
        # With a fixed seed, so that repeated splits are of one sample.
        cache = Cache(
            self.source, image_size=self.image_size, limit=self.limit, seed=_SAMPLE_SEED, folder=self.cache_dir
        )
        table = cache.table()
        if isinstance(self.source, LabelledSource):
            report_labels(self.source.describe(), self.source.label)
        check_skipped(table, self.source.label, self.max_skipped)
        if self.split_file is not None:
            self.split = read_split(self.split_file, table, self.groups)
        elif not self.protocol.is_random:
            self.split = split_by(
                self.protocol, table, self.groups, leak_control=self.leak_control, seed=self.split_seed
            )
        else:
            self.split = make_split(table, self.groups, leak_control=self.leak_control, seed=self.split_seed)
        report_photographs(table, self.split, self.source.label)
        self.manifest = self.split.manifest(table.names)
        self.pixels: Pixels = cache.pixels(table)
        self._table = table

    @property
    def table(self) -> FaceTable:
        """Table of all files, after `setup`."""
        assert self._table is not None, "setup() first"
        return self._table

    def train_age_counts(self) -> Tensor:
        """Count the training images of each age: int64 (A,).

        A range of ages within one group counts as the age in its middle; without a group, an age does not count.
        """
        rows = self.split.rows(self.train_part)
        ages = self.table.ages[rows]
        if not self.table.is_complete:
            ages = middle_ages(ages, self.table.last_ages[rows])[self.table.groups(self.groups)[rows] >= 0]
        return torch.bincount(torch.from_numpy(ages), minlength=labels.NUM_AGES)

    def dataset(self, part: str, device: torch.device | None = None) -> FaceDataset:
        """Return the images of a part, see `Split.rows`; on the device if they are kept there."""
        return FaceDataset(
            self._pixels_for(device),
            self.table,
            self.groups.group_of_age,
            self.split.rows(part),
            midpoints=self.midpoints,
        )

    def check_years(self) -> None:
        """Check that the training images suit a method that learns from ages in years.

        Raises:
            InputError: some have only a range of ages, and it is not allowed to use its middle.
        """
        rows = self.split.rows(self.train_part)
        grouped = rows[self.table.groups(self.groups)[rows] >= 0]
        num_ranges = int((self.table.years[grouped] < 0).sum())
        if num_ranges and not self.midpoints:
            raise InputError(
                f"this loss learns from ages in years, but {num_ranges:,} of {len(grouped):,} training faces of "
                f"{self.source.label} have only a range of ages; use a loss of age groups, such as loss=plain, or "
                "data.years=midpoint, which takes the middle of each range"
            )

    def _pixels_for(self, device: torch.device | None) -> Pixels | Tensor:
        if self._on_device is None:
            self._on_device = self._copied(device)
        usable = self._on_device is not None and device is not None and self.num_workers == 0
        return self._on_device if usable and self._on_device is not None else self.pixels

    def _copied(self, device: torch.device | None, rows: np.ndarray | None = None) -> Tensor | None:
        """Copy the decoded images, or those of some rows, to a device; None where they are not to be kept there."""
        # Worker processes read the memory-mapped file, as they cannot use the GPU's memory.
        if device is None or self.num_workers > 0 or not isinstance(self.pixels, np.ndarray):
            return None
        num_bytes = self.pixels[:1].nbytes * (len(self.pixels) if rows is None else len(rows))
        if not (fits(num_bytes, device) if self.resident is None else self.resident):
            return None
        self.resident_bytes = max(self.resident_bytes, num_bytes)
        return copy_to(self.pixels, device, rows)

    def teardown(self, stage: str) -> None:
        """Free the device's memory after the test; the cache stays open."""
        if stage == "test":
            self._on_device = None

    def train_dataloader(self) -> BatchLoader | DataLoader[Batch]:
        """Return the training images, in an order that follows from seed and epoch, as a resumed job must repeat it."""
        dataset = self.dataset(self.train_part, self._device)
        if self.trainer and self.trainer.overfit_batches:  # pyright: ignore[reportAttributeAccessIssue]
            return self._loader(dataset, SequentialSampler(dataset), self.batch_size, self._device)
        world, rank = (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        sampler = DistributedSampler(dataset, num_replicas=world, rank=rank, shuffle=True, seed=self.seed)
        # Batch normalization has no variance in a last batch of one image.
        drop_last = len(sampler) % self.batch_size == 1 < len(sampler)
        return self._loader(dataset, sampler, self.batch_size, self._device, drop_last=drop_last)

    def val_dataloader(self) -> BatchLoader | DataLoader[Batch]:
        # On the device only with the training images, which are copied first: the memory is theirs.
        return self._in_order(self.dataset("val", self._device), self._device)

    def test_dataloader(self) -> BatchLoader | DataLoader[Batch]:
        return self.evaluation_loader("test", self._device)

    def evaluation_loader(self, part: str, device: torch.device | None = None) -> BatchLoader | DataLoader[Batch]:
        """Return the images of a part, see `Split.rows`, in order, in batches for a device; None: the CPU.

        If the images are kept on the device, but are not there yet, those of the part alone are copied.
        """
        return self._in_order(self._part_on_device(part, device) or self.dataset(part, device), device)

    def _in_order(self, dataset: FaceDataset, device: torch.device | None) -> BatchLoader | DataLoader[Batch]:
        return self._loader(dataset, SequentialSampler(dataset), self.evaluation_batch_size(device), device)

    def _part_on_device(self, part: str, device: torch.device | None) -> FaceDataset | None:
        rows = self.split.rows(part)
        pixels = None if self._on_device is not None else self._copied(device, rows)
        if pixels is None:
            return None
        return FaceDataset(
            pixels, self.table, self.groups.group_of_age, rows, holds_part=True, midpoints=self.midpoints
        )

    def evaluation_batch_size(self, device: torch.device | None = None) -> int:
        """Return the images of a batch of validation and test on a device; None: the CPU."""
        on_gpu = device is not None and device.type == "cuda"
        return self.eval_batch_size or self.batch_size * (_EVAL_BATCHES if on_gpu else 1)

    @property
    def _device(self) -> torch.device | None:
        return self.trainer.strategy.root_device if self.trainer else None

    def _loader(
        self,
        dataset: FaceDataset,
        sampler: Sampler[int],
        batch_size: int,
        device: torch.device | None,
        *,
        drop_last: bool = False,
    ) -> BatchLoader | DataLoader[Batch]:
        if self.num_workers == 0:
            return BatchLoader(dataset, sampler=sampler, batch_size=batch_size, drop_last=drop_last, device=device)
        return WorkerLoader(
            dataset,
            batch_size=batch_size,
            sampler=sampler,
            drop_last=drop_last,
            collate_fn=_as_is,
            num_workers=self.num_workers,
            persistent_workers=True,
            pin_memory=device is not None and device.type == "cuda",  # a job on the CPU must not start CUDA
        )

    @property
    def manifest_id(self) -> str:
        """Hash of the split: the SHA-256 of its manifest, hexadecimal."""
        return manifest_hash(self.manifest)

    def describe(self) -> dict[str, object]:
        """Return a description of the data for the record, in plain containers."""
        table = self.table
        split = self.split
        groups = self.groups
        group = table.groups(groups)
        years = {part: table.years[split.rows(part)] for part in PARTS}
        return {
            "root": self.source.label,
            "fingerprint": table.fingerprint,
            "image_size": self.image_size,
            "train_part": self.train_part,
            "age_groups": {"scheme": groups.scheme, "names": list(groups.names)},
            "counts": {
                "available": len(table) if self.limit is None else len(self.source.names()),
                "files": len(table),
                "skipped": int((~table.usable).sum()),
                "dropped": split.dropped,
                "joined": split.joined,
                **{part: len(split.rows(part)) for part in PARTS},
            },
            "groups": {part: _count(group[split.rows(part)], len(groups.names)) for part in PARTS},
            "age_counts": _count(np.concatenate(list(years.values())), labels.NUM_AGES),
            "skipped": table.skipped_by_name,
            "skipped_reasons": dict(Counter(reason for reason in table.skipped if reason)),
            "leak_control": self.leak_control if self.split_file is None else None,
            "split_hash": self.manifest_id,
            "cached": not isinstance(self.pixels, OnDemand),
            **({} if self.protocol.is_random else {"protocol": asdict(self.protocol)}),
            **({"labels": self.source.describe()} if isinstance(self.source, LabelledSource) else {}),
            **({} if table.is_complete else {"labelled": self._labelled()}),
        }

    def _labelled(self) -> dict[str, dict[str, int]]:
        """Count the images of each part whose age group, age in years and gender are known."""
        known = {
            "age_group": self.table.groups(self.groups) >= 0,
            "age_years": self.table.years >= 0,
            "gender": self.table.genders >= 0,
        }
        return {part: {key: int(mask[self.split.rows(part)].sum()) for key, mask in known.items()} for part in PARTS}


def _count(values: np.ndarray, num_values: int) -> list[int]:
    """Count each of the values 0, 1, ..., without -1, which is unknown."""
    return np.bincount(values[values >= 0], minlength=num_values).tolist()


def _as_is(batch: Any) -> Batch:
    return batch
