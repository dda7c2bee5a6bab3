"""Loading batches ahead of the training step: gathered on the device, or on the CPU and copied while it computes."""

from collections import deque
from collections.abc import Iterator, Sequence, Sized
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from agegender.data.dataset import Batch

_AHEAD = 2  # batches besides the current one: one is being copied, one is being gathered


class Gatherable(Protocol):
    """A data set that returns a whole batch in one operation.

    Attributes:
        device: where its tensors are.
    """

    device: torch.device

    def __len__(self) -> int: ...

    def gather(self, index: Tensor, *, pin: bool = False) -> Batch:
        """Return the items of an int64 (B,) index, in page-locked memory if `pin`."""
        ...


class WorkerLoader(DataLoader[Batch]):
    """PyTorch's loader with worker processes; the order of the images is drawn when the first batch is requested.

    PyTorch draws it when the iterator is created. When Lightning resumes a training, that is before it sets the
    sampler's epoch, and so the resumed epoch would have the order of the first one.
    """

    def __iter__(self) -> Iterator[Batch]:  # pyright: ignore[reportIncompatibleMethodOverride]
        yield from super().__iter__()


class BatchLoader:
    """Batches of a data set, in the order of a sampler.

    For data in memory, or memory-mapped: one thread gathers the next batches while the current one is used. A batch
    goes to a GPU from page-locked memory on a separate stream, so that the copy overlaps with the step; if the data is
    on the GPU already, the batch is gathered there. Its state, which is stored in checkpoints, is the number of batches
    of the epoch so far, where a resumed epoch continues.

    Args:
        dataset: the items.
        sampler: order of the items; Lightning calls its `set_epoch`.
        batch_size: items of a batch; the last one may have fewer.
        drop_last: whether to leave out a last batch that is not full.
        device: where the batches are used; None: the CPU.
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
        self.dataset = dataset
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last
        self._device = device if device is not None else torch.device("cpu")
        self.batch_sampler = None  # an attribute of DataLoader that Lightning reads
        self._stream: torch.cuda.Stream | None = None
        self._num_given = 0  # batches of this epoch
        self._num_to_skip = 0  # batches of a resumed epoch

    def state_dict(self) -> dict[str, int]:
        return {"num_given": self._num_given}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self._num_to_skip = state_dict["num_given"] % len(self)  # after a whole epoch, nothing

    def end_epoch(self) -> None:
        """Note that the epoch has ended, also if before its last batch, as by `limit_train_batches`."""
        self._num_given = 0

    def __len__(self) -> int:
        assert isinstance(self.sampler, Sized)
        full, rest = divmod(len(self.sampler), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Batch]:
        order = torch.tensor(list(self.sampler), dtype=torch.int64).to(self.dataset.device)
        self._num_given = self._num_to_skip
        self._num_to_skip = 0
        for batch in self._batches(order.split(self.batch_size)[self._num_given : len(self)]):
            self._num_given += 1
            yield batch

    def _batches(self, indices: Sequence[Tensor]) -> Iterator[Batch]:
        if self.dataset.device.type != "cpu":
            yield from map(self.dataset.gather, indices)
            return
        with ThreadPoolExecutor(1, "batches", initializer=self._select_device) as executor:
            pending = deque(executor.submit(self._load, index) for index in indices[:_AHEAD])
            for index in indices[_AHEAD:]:
                batch, copied = pending.popleft().result()
                pending.append(executor.submit(self._load, index))
                yield self._await_copy(batch, copied)
            for future in pending:
                yield self._await_copy(*future.result())

    def _select_device(self) -> None:
        if self._device.type == "cuda":  # else the thread would allocate memory on the first GPU, maybe another job's
            torch.cuda.set_device(self._device)

    def _load(self, index: Tensor) -> tuple[Batch, torch.cuda.Event | None]:
        """Gather a batch and start to copy it to the device; runs in the thread."""
        if self._device.type != "cuda":
            return self.dataset.gather(index), None
        if self._stream is None:
            self._stream = torch.cuda.Stream(self._device)
        batch = self.dataset.gather(index, pin=True)
        with torch.cuda.stream(self._stream):
            batch = {key: value.to(self._device, non_blocking=True) for key, value in batch.items()}
            copied = torch.cuda.Event()
            copied.record(self._stream)
        return batch, copied

    def _await_copy(self, batch: Batch, copied: torch.cuda.Event | None) -> Batch:
        """Let the GPU's step, not the program, wait for a batch that is still being copied."""
        if copied is not None:
            current = torch.cuda.current_stream(self._device)
            current.wait_event(copied)
            for value in batch.values():
                value.record_stream(current)  # so that its memory is not reused before the step is done
        return batch
