"""Batches ahead of the step that uses them: gathered on the device, or beside it and sent across while it computes."""

from collections import deque
from collections.abc import Iterator, Sequence, Sized
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from agegender.data.dataset import Batch

_AHEAD = 2  # batches: one in use, one on its way, one being gathered


class Gatherable(Protocol):
    """A data set that gives a whole batch at once.

    Attributes:
        device: where its tensors are.
    """

    device: torch.device

    def __len__(self) -> int: ...

    def gather(self, index: Tensor, *, pin: bool = False) -> Batch:
        """Give the items of an int64 (B,) index, in page-locked memory if `pin`."""
        ...


class WorkerLoader(DataLoader[Batch]):
    """PyTorch's loader with worker processes, whose order is drawn when its first batch is asked for.

    Its own draws it when the iterator is made: where Lightning resumes a training, that is before the sampler is told
    the epoch, which then has the order of the first one.
    """

    def __iter__(self) -> Iterator[Batch]:  # pyright: ignore[reportIncompatibleMethodOverride]
        yield from super().__iter__()


class BatchLoader:
    """Batches of a data set, in the order of a sampler.

    For data that is in memory, or mapped: one thread gathers the next batches while the current one is used. A batch
    goes to a GPU from page-locked memory on a stream of its own, so that the copy overlaps with the step; where the
    data is on the GPU already, the batch is gathered there. Its state, which Lightning keeps in checkpoints, is the
    number of batches that an epoch has given so far: one that is gone on with begins there.

    Args:
        dataset: what to load.
        sampler: order of the items; Lightning calls its `set_epoch`.
        batch_size: items of a batch; the last one may have fewer.
        drop_last: leave out a last batch that is not full.
        device: where batches are wanted.
    """

    def __init__(
        self,
        dataset: Gatherable,
        *,
        sampler: Sampler[int],
        batch_size: int,
        drop_last: bool = False,
        device: torch.device | None = None,
    ) -> None:
        self.dataset, self.sampler = dataset, sampler
        self.batch_size, self.drop_last = batch_size, drop_last
        self._device = device if device is not None else torch.device("cpu")
        self.batch_sampler = None  # as a DataLoader has it: Lightning asks
        self._stream: torch.cuda.Stream | None = None
        self._num_given = self._num_skipped = 0

    def state_dict(self) -> dict[str, int]:
        return {"num_given": self._num_given}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self._num_skipped = state_dict["num_given"] % len(self)  # a whole epoch: the next one begins

    def end_epoch(self) -> None:
        """Say that the next pass begins anew, also where this one was left early, as by `limit_train_batches`."""
        self._num_given = 0

    def __len__(self) -> int:
        assert isinstance(self.sampler, Sized)
        full, rest = divmod(len(self.sampler), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Batch]:
        order = torch.tensor(list(self.sampler), dtype=torch.int64).to(self.dataset.device)
        self._num_given, self._num_skipped = self._num_skipped, 0
        for batch in self._batches(order.split(self.batch_size)[self._num_given : len(self)]):
            self._num_given += 1
            yield batch

    def _batches(self, indices: Sequence[Tensor]) -> Iterator[Batch]:
        if self.dataset.device.type != "cpu":
            yield from map(self.dataset.gather, indices)
            return
        with ThreadPoolExecutor(1, "batches", initializer=self._enter) as executor:
            pending = deque(executor.submit(self._load, index) for index in indices[:_AHEAD])
            for index in indices[_AHEAD:]:
                batch, sent = pending.popleft().result()
                pending.append(executor.submit(self._load, index))
                yield self._arrived(batch, sent)
            for future in pending:
                yield self._arrived(*future.result())

    def _enter(self) -> None:
        if self._device.type == "cuda":  # else the thread would take room on the first GPU, perhaps another job's
            torch.cuda.set_device(self._device)

    def _load(self, index: Tensor) -> tuple[Batch, torch.cuda.Event | None]:
        """Gather a batch and begin to send it; runs in the thread."""
        if self._device.type != "cuda":
            return self.dataset.gather(index), None
        if self._stream is None:
            self._stream = torch.cuda.Stream(self._device)
        batch = self.dataset.gather(index, pin=True)
        with torch.cuda.stream(self._stream):
            batch = {key: value.to(self._device, non_blocking=True) for key, value in batch.items()}
            sent = torch.cuda.Event()
            sent.record(self._stream)
        return batch, sent

    def _arrived(self, batch: Batch, sent: torch.cuda.Event | None) -> Batch:
        """Make the step, not the program, wait for a batch that is still on its way."""
        if sent is not None:
            current = torch.cuda.current_stream(self._device)
            current.wait_event(sent)
            for value in batch.values():
                value.record_stream(current)  # its memory is free for others only when the step is done with it
        return batch
