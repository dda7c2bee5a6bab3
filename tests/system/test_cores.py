import os
import threading

import pytest

from agegender.system.cores import available_cores, bind_thread

binds = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no threads")


def in_thread(core: int) -> list[int]:
    """Return the cores of a thread that is bound to one core."""
    found: list[int] = []

    def work() -> None:
        bind_thread(core)
        found.extend(available_cores())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return found


@binds
def test_binding_changes_the_calling_thread_alone() -> None:
    before = available_cores()
    assert [in_thread(core) for core in before] == [[core] for core in before]
    assert available_cores() == before == sorted(os.sched_getaffinity(0))


@binds
def test_only_the_cores_that_the_process_may_use_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5, 2})
    assert available_cores() == [2, 5]


@binds
def test_a_system_that_refuses_to_bind_leaves_the_thread_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    assert in_thread(available_cores()[0]) == available_cores()


def test_a_system_that_binds_no_threads_has_all_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.delattr(os, "sched_setaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    bind_thread(0)
    assert available_cores() == [0, 1, 2]
