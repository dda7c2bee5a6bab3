"""Work on many items, on all cores: in threads where they are few, in processes where they are many."""

import itertools
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from rich.progress import track

from agegender.system.cores import available_cores, bind_thread

_CHUNK = 16  # items that a thread or a process takes at once
_MANY = 2_000  # items from which on processes pay: threads wait for Python's lock, 16 times or so for each image

Result = TypeVar("Result")


def in_parallel(work: Callable[[range], Result], num_items: int, title: str) -> Iterator[Result]:
    """Share 0 ... num_items - 1 out in ranges over all cores, and give the results in their order.

    Args:
        work: in a process, its arguments, its result and what it raises travel; what else it changes is lost.
        num_items: how many.
        title: of the progress bar.
    """
    chunks = [range(start, min(start + _CHUNK, num_items)) for start in range(0, num_items, _CHUNK)]
    cores = available_cores()
    forks = sys.platform == "linux" and len(cores) > 1 and num_items >= _MANY
    results = _in_processes(work, chunks, cores) if forks else _in_threads(work, chunks, cores)
    yield from track(results, title, total=len(chunks), transient=True)


def _in_threads(work: Callable[[range], Result], chunks: Sequence[range], cores: Sequence[int]) -> Iterator[Result]:
    free = itertools.cycle(cores)
    # Threads that wait for the lock often look idle, and some systems put them all on one core: each gets its own.
    executor = ThreadPoolExecutor(len(cores), "cores", initializer=lambda: bind_thread(next(free)))
    try:
        yield from executor.map(work, chunks)
    finally:
        executor.shutdown(cancel_futures=True)


class _Chunks:
    """The work as a data set, of which item i is the result, or the error, of chunk i."""

    def __init__(self, work: Callable[[range], Any], chunks: Sequence[range]) -> None:
        self._work, self._chunks = work, chunks

    def __len__(self) -> int:
        return len(self._chunks)

    def __getitem__(self, index: int) -> tuple[Any, Exception | None]:
        try:
            return self._work(self._chunks[index]), None
        except Exception as error:  # the loader would put a traceback into its message
            return None, error


def _in_processes(work: Callable[[range], Result], chunks: Sequence[range], cores: Sequence[int]) -> Iterator[Result]:
    """Let a data loader's workers do it: they end with their parent, even if that is killed."""
    from torch.utils.data import DataLoader

    loader = DataLoader(
        _Chunks(work, chunks),  # pyright: ignore[reportArgumentType]
        batch_size=None,
        collate_fn=_as_is,
        num_workers=len(cores),
        prefetch_factor=4,
        multiprocessing_context="fork",
        worker_init_fn=lambda worker: bind_thread(cores[worker]),
    )
    with warnings.catch_warnings():
        # From Python 3.12 on: a fork beside threads. The workers use none of what those hold.
        warnings.filterwarnings("ignore", ".*multi-threaded, use of fork.*", DeprecationWarning)
        results = iter(loader)
    for result, error in results:
        if error is not None:
            raise error
        yield result


def _as_is(item: Any) -> Any:
    return item
