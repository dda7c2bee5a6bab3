"""Batches that are gathered ahead, tested with numbers; batches of faces are compared with PyTorch's loader."""

import threading
from collections.abc import Callable

import numpy as np
import pytest
import torch
from making import make_table
from torch import Tensor
from torch.utils.data import DataLoader, RandomSampler, Sampler, SequentialSampler
from torch.utils.data.distributed import DistributedSampler

from agegender.data.dataset import Batch, FaceDataset
from agegender.data.loading import BatchLoader


class Numbers:
    """The numbers 0 ... num - 1; calls `before` with an index before it is gathered."""

    def __init__(self, num: int, before: Callable[[list[int]], object] = lambda _: None) -> None:
        self.device = torch.device("cpu")
        self.gathered: list[list[int]] = []
        self._num = num
        self._before = before

    def __len__(self) -> int:
        return self._num

    def gather(self, index: Tensor, *, pin: bool = False) -> Batch:
        self._before(index.tolist())
        self.gathered.append(index.tolist())
        return {"number": index.clone()}


def loader_of(numbers: Numbers, batch_size: int = 4, *, drop_last: bool = False) -> BatchLoader:
    return BatchLoader(numbers, sampler=SequentialSampler(numbers), batch_size=batch_size, drop_last=drop_last)


def batches_of(loader: BatchLoader) -> list[list[int]]:
    return [batch["number"].tolist() for batch in loader]


def loading_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("batches")]


# Which batches


@pytest.mark.parametrize(
    ("num", "drop_last", "batches"),
    [
        (8, False, [[0, 1, 2, 3], [4, 5, 6, 7]]),
        (8, True, [[0, 1, 2, 3], [4, 5, 6, 7]]),
        (9, False, [[0, 1, 2, 3], [4, 5, 6, 7], [8]]),
        (9, True, [[0, 1, 2, 3], [4, 5, 6, 7]]),
        (3, False, [[0, 1, 2]]),
        (3, True, []),
        (0, False, []),
    ],
)
def test_every_item_comes_once_in_order_and_a_rest_where_it_is_not_dropped(
    num: int, drop_last: bool, batches: list[list[int]]
) -> None:
    loader = loader_of(Numbers(num), drop_last=drop_last)
    assert batches_of(loader) == batches
    assert len(loader) == len(batches)


def test_the_order_is_the_samplers() -> None:
    numbers = Numbers(50)
    sampler = RandomSampler(numbers, generator=torch.Generator().manual_seed(3))
    order = list(RandomSampler(numbers, generator=torch.Generator().manual_seed(3)))
    found = batches_of(BatchLoader(numbers, sampler=sampler, batch_size=7))
    assert [number for batch in found for number in batch] == order != sorted(order)


def test_a_loader_gives_the_same_again_each_time() -> None:
    loader = loader_of(Numbers(30))
    assert batches_of(loader) == batches_of(loader)


def test_two_passes_at_once_do_not_disturb_each_other() -> None:
    loader = loader_of(Numbers(30))
    assert [(one["number"].tolist(), two["number"].tolist()) for one, two in zip(loader, loader, strict=True)] == [
        (batch, batch) for batch in batches_of(loader)
    ]


def test_the_samplers_epoch_changes_the_order_and_the_same_epoch_repeats_it() -> None:
    numbers = Numbers(40)
    sampler = DistributedSampler(numbers, num_replicas=1, rank=0, shuffle=True, seed=1)  # type: ignore[arg-type]
    loader = BatchLoader(numbers, sampler=sampler, batch_size=7)
    orders = []
    for epoch in (0, 1, 0):
        sampler.set_epoch(epoch)
        orders.append([number for batch in batches_of(loader) for number in batch])
    assert orders[0] == orders[2] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(40))


# Batches gathered ahead


def test_the_next_two_batches_are_gathered_while_the_current_one_is_used() -> None:
    begun = [threading.Event() for _ in range(5)]
    numbers = Numbers(20, before=lambda index: begun[index[0] // 4].set())
    for used, _ in enumerate(loader_of(numbers)):
        for later in begun[used : used + 3]:
            assert later.wait(30), "nobody asked for a later batch, and it was not gathered"


def test_no_more_than_two_batches_wait_for_the_one_who_uses_them() -> None:
    numbers = Numbers(400)
    for used, _ in enumerate(loader_of(numbers), start=1):
        assert len(numbers.gathered) <= used + 2


@pytest.mark.parametrize("used", [1, 3])
def test_leaving_early_leaves_no_thread_behind_and_gathers_no_more(used: int) -> None:
    numbers = Numbers(400)
    for number, _ in enumerate(loader_of(numbers), start=1):
        if number == used:
            break
    assert not loading_threads()
    assert len(numbers.gathered) <= used + 2


def test_a_complete_pass_leaves_no_thread_behind() -> None:
    batches_of(loader_of(Numbers(20)))
    assert not loading_threads()


@pytest.mark.parametrize("failing", [0, 2, 4])
def test_an_error_in_gathering_reaches_the_one_who_asks_after_the_batches_before_it(failing: int) -> None:
    def fail(index: list[int]) -> None:
        if index[0] == 4 * failing:
            raise OSError("the disk is gone")

    seen = []
    with pytest.raises(OSError, match="the disk is gone"):
        for batch in loader_of(Numbers(20, before=fail)):
            seen.append(batch["number"].tolist())
    assert seen == [[4 * number + item for item in range(4)] for number in range(failing)]
    assert not loading_threads()


# Faces


def faces(device: str, resident: bool) -> FaceDataset:
    """Return 23 faces of noise, memory-mapped or on the device."""
    pixels = np.random.default_rng(0).integers(0, 256, (30, 5, 5, 3), dtype=np.uint8)
    table = make_table(ages=range(30), genders=[0, 1] * 15)
    rows = np.random.default_rng(1).permutation(30)[:23]
    return FaceDataset(torch.from_numpy(pixels).to(device) if resident else pixels, table, np.arange(121) // 10, rows)


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("resident", [False, True])
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_the_batches_are_those_of_pytorchs_loader(device: str, resident: bool, drop_last: bool) -> None:
    mapped = faces("cpu", resident=False)

    def sampler() -> Sampler[int]:
        return RandomSampler(mapped, generator=torch.Generator().manual_seed(2))

    expected = DataLoader(mapped, batch_size=5, sampler=sampler(), drop_last=drop_last, collate_fn=lambda batch: batch)
    found = BatchLoader(
        faces(device, resident),
        sampler=sampler(),
        batch_size=5,
        drop_last=drop_last,
        device=torch.device(device, 0) if device == "cuda" else None,
    )
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys()
        for key, value in other.items():
            assert one[key].device.type == device
            assert torch.equal(one[key].cpu(), value)
            assert one[key].stride() == value.stride()
