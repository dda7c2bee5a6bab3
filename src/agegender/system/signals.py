"""Signals that end a job early: Ctrl-C, SIGTERM, and SIGUSR1, by which a cluster announces the time limit."""

import os
import signal
from typing import Any

CLUSTER_STOPS = (signal.SIGTERM, signal.SIGUSR1)
STOPS = (signal.SIGINT, *CLUSTER_STOPS)
_STOPPING = b"\nstopping after the next checkpoint; press Ctrl-C again to stop at once\n"


class Terminated(KeyboardInterrupt):
    """A signal, raised as an exception in the main thread, so that the process ends as cleanly as on Ctrl-C.

    Attributes:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = signal.Signals(number)


class StopSignals:
    """Holds a signal back until a training step is done and its checkpoint written; outside a training it raises.

    Attributes:
        received: number of the signal that was held back; None if none was.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._deferred: tuple[int, ...] = ()

    def install(self) -> None:
        """Handle the signals from now on; to be called in the main thread."""
        self.received = None
        self._deferred = ()
        for number in STOPS:
            # A shell makes jobs that it starts with `&` ignore Ctrl-C: that stays so.
            if number != signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._handle)

    def defer(self, *numbers: int) -> None:
        """Hold these signals back from now on, for a caller that checks `received` regularly; raise all others."""
        self._deferred = numbers

    def _handle(self, number: int, frame: Any) -> None:
        is_second_interrupt = number == signal.SIGINT and self.received is not None
        if number not in self._deferred or is_second_interrupt:
            raise Terminated(number)
        if number == signal.SIGINT:
            os.write(2, _STOPPING)  # not sys.stderr, which the signal may have interrupted in the middle of a write
        self.received = self.received or number  # a cluster may send a signal twice: to the job and to each process


stop_signals = StopSignals()


def signal_of(error: BaseException) -> signal.Signals:
    """Return the signal behind an interrupt: Lightning wraps KeyboardInterrupt in SystemExit."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, Terminated):
            return cause.number
        cause = cause.__cause__ or cause.__context__
    return signal.SIGINT
