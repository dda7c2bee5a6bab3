"""How work is distributed over the cores; the results of a scan are tested in test_cache.py."""

import os
import sys
import threading

import pytest

from agegender.data import parallel
from agegender.data.parallel import in_parallel
from agegender.system.cores import available_cores
from agegender.system.errors import InputError


@pytest.mark.parametrize("num_items", [0, 1, 15, 16, 17, 100])
def test_every_item_is_given_once_in_ranges_that_follow_on_each_other(num_items: int) -> None:
    ranges: list[range] = []
    list(in_parallel(ranges.append, num_items, "counting"))
    assert [item for rows in sorted(ranges, key=lambda rows: rows.start) for item in rows] == list(range(num_items))


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system binds no threads")
def test_each_thread_has_one_core_and_the_caller_keeps_all_of_his() -> None:
    before = available_cores()
    seen: dict[str, list[int]] = {}
    all_there = threading.Barrier(len(before))

    def work(rows: range) -> None:
        all_there.wait(30)  # every thread takes one range
        seen[threading.current_thread().name] = available_cores()

    list(in_parallel(work, 16 * len(before), "binding"))
    assert sorted(seen.values()) == [[core] for core in before]
    assert available_cores() == before


@pytest.fixture(params=["threads", "processes"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "processes":
        if sys.platform != "linux":
            pytest.skip("this system does not fork")
        monkeypatch.setattr(parallel, "_MANY", 1)
        monkeypatch.setattr(parallel, "available_cores", lambda: [available_cores()[0]] * 2)
    return request.param


def test_the_results_come_in_the_order_of_the_ranges(kind: str) -> None:
    results = list(in_parallel(lambda rows: (list(rows), os.getpid()), 100, "listing"))
    assert [item for items, _ in results for item in items] == list(range(100))
    assert (os.getpid() in {pid for _, pid in results}) == (kind == "threads")


def test_an_error_keeps_its_class_and_its_message(kind: str) -> None:
    def work(rows: range) -> None:
        raise InputError("file 7 cannot be read; fix or remove it")

    with pytest.raises(InputError, match=r"^file 7 cannot be read; fix or remove it$"):
        list(in_parallel(work, 100, "failing"))


def test_an_error_in_one_range_reaches_the_caller() -> None:
    def work(rows: range) -> None:
        if 20 in rows:
            raise ZeroDivisionError("item 20")

    with pytest.raises(ZeroDivisionError, match="item 20"):
        list(in_parallel(work, 100, "failing"))
