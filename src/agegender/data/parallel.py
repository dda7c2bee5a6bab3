"""Work on all cores: in threads for few items, in processes for many."""

import itertools
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from rich.progress import track

from agegender.system.cores import available_cores, bind_thread

_CHUNK = 16  # items that a thread or a process takes at a time
_MANY = 2_000  # items from which processes are faster: threads wait for the GIL, about 16 times for each image

Result = TypeVar("Result")


def in_parallel(work: Callable[[range], Result], num_items: int, title: str) -> Iterator[Result]:
    """Run a function on ranges of 0 ... num_items - 1, on all cores, and yield the results in order.

    Args:
        work: may run in another process: only its result or its error comes back, any other effect is lost.
        num_items: number of items.
        title: of the progress bar.
    """
    chunks = [range(start, min(start + _CHUNK, num_items)) for start in range(0, num_items, _CHUNK)]
    cores = available_cores()
    use_processes = sys.platform == "linux" and len(cores) > 1 and num_items >= _MANY
    results = _in_processes(work, chunks, cores) if use_processes else _in_threads(work, chunks, cores)
    yield from track(results, title, total=len(chunks), transient=True)


def _in_threads(work: Callable[[range], Result], chunks: Sequence[range], cores: Sequence[int]) -> Iterator[Result]:
    next_core = itertools.cycle(cores)
    # Threads that wait for the GIL look idle, and some systems then put all of them on one core.
    executor = ThreadPoolExecutor(len(cores), "cores", initializer=lambda: bind_thread(next(next_core)))
    try:
        yield from executor.map(work, chunks)
    finally:
        executor.shutdown(cancel_futures=True)


class _Chunks:
    """The work as a data set: item i is the result, or the error, for chunk i."""

    def __init__(self, work: Callable[[range], Any], chunks: Sequence[range]) -> None:
        self._work = work
        self._chunks = chunks

    def __len__(self) -> int:
        return len(self._chunks)

    def __getitem__(self, index: int) -> tuple[Any, Exception | None]:
        try:
            return self._work(self._chunks[index]), None
        except Exception as error:  # returned, as the loader would put a traceback into the message
            return None, error


def _in_processes(work: Callable[[range], Result], chunks: Sequence[range], cores: Sequence[int]) -> Iterator[Result]:
    """Run the work in a data loader's workers, which end with their parent, even if that is killed."""
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
        # From Python 3.12: a fork while threads are running. The workers use no locks that those threads may hold.
        warnings.filterwarnings("ignore", ".*multi-threaded, use of fork.*", DeprecationWarning)
        results = iter(loader)
    for result, error in results:
        if error is not None:
            raise error
        yield result


def _as_is(item: Any) -> Any:
    return item
