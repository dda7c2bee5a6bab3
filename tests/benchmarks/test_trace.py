"""The busy time of a device, from the events of a trace."""

import pytest

from benchmarks.trace import work


def event(category: str, start: float, duration: float) -> dict:
    return {"cat": category, "ts": start, "dur": duration}


def test_times_that_overlap_count_once() -> None:
    events = [event("kernel", 1000, 500), event("kernel", 1200, 100), event("gpu_memcpy", 1400, 300)]
    found = work([*events, event("kernel", 3000, 1000)], ("kernel", "gpu_memcpy"), num_steps=2)
    assert found.num_kernels == 2
    assert found.busy_ms == pytest.approx((0.7 + 1.0) / 2)


def test_other_events_do_not_count() -> None:
    found = work([event("cpu_op", 0, 10), {"ph": "M", "name": "process_name"}], ("kernel",), num_steps=1)
    assert (found.num_kernels, found.busy_ms) == (0, 0.0)
