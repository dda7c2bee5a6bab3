"""What a signal does to a training: held back until a step is done, or raised at once."""

import os
import signal
from collections.abc import Iterator

import pytest

from agegender.system.signals import CLUSTER_STOPS, STOPS, StopSignals, Terminated, signal_of


@pytest.fixture
def stops() -> Iterator[StopSignals]:
    before = {number: signal.getsignal(number) for number in STOPS}
    yield StopSignals()
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", STOPS)
def test_a_signal_that_nobody_looks_for_is_raised(stops: StopSignals, number: int) -> None:
    stops.install()
    with pytest.raises(Terminated) as caught:
        os.kill(os.getpid(), number)
    assert signal_of(caught.value) == number


@pytest.mark.parametrize("number", STOPS)
def test_a_signal_that_somebody_looks_for_is_kept(stops: StopSignals, number: int) -> None:
    stops.install()
    stops.defer(*STOPS)
    os.kill(os.getpid(), number)
    assert stops.received == number
    stops.install()
    assert stops.received is None


def test_a_second_ctrl_c_does_not_wait_but_a_second_signal_of_a_cluster_does(
    stops: StopSignals, capfd: pytest.CaptureFixture[str]
) -> None:
    stops.install()
    stops.defer(*STOPS)
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)
    assert stops.received == signal.SIGTERM
    stops.install()
    stops.defer(*STOPS)
    os.kill(os.getpid(), signal.SIGINT)
    assert "Ctrl-C again" in capfd.readouterr().err
    with pytest.raises(Terminated):
        os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_is_raised_where_only_a_clusters_signals_are_kept(stops: StopSignals) -> None:
    stops.install()
    stops.defer(*CLUSTER_STOPS)
    with pytest.raises(Terminated):
        os.kill(os.getpid(), signal.SIGINT)


def test_a_job_in_the_background_of_a_shell_goes_on_ignoring_ctrl_c(stops: StopSignals) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stops.install()
    os.kill(os.getpid(), signal.SIGINT)
    assert stops.received is None
