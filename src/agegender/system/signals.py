"""Signals that end a job early: Ctrl-C, SIGTERM, and SIGUSR1, by which a cluster tells that the time limit is near."""

import os
import signal
from typing import Any

CLUSTER_STOPS = (signal.SIGTERM, signal.SIGUSR1)
STOPS = (signal.SIGINT, *CLUSTER_STOPS)
_STOPPING = b"\nstopping when what was trained is kept; Ctrl-C again: at once\n"


class Terminated(KeyboardInterrupt):
    """A signal, raised where the process stands, so that it ends as cleanly as on Ctrl-C.

    Attributes:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = signal.Signals(number)


class StopSignals:
    """Keeps a signal until a training step is done and its checkpoint written; raises it where nobody waits for that.

    Attributes:
        received: number of the signal that was kept; None if none was.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._deferred: tuple[int, ...] = ()

    def install(self) -> None:
        """Handle the signals from now on; only in the main thread."""
        self.received, self._deferred = None, ()
        for number in STOPS:
            if number != signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN:  # as a shell leaves it after `&`
                signal.signal(number, self._handle)

    def defer(self, *numbers: int) -> None:
        """Keep these signals from now on, for somebody who looks at `received` before long; raise all others."""
        self._deferred = numbers

    def _handle(self, number: int, frame: Any) -> None:
        again = number == signal.SIGINT and self.received is not None
        if number not in self._deferred or again:
            raise Terminated(number)
        if number == signal.SIGINT:
            os.write(2, _STOPPING)  # a stream may be in the middle of writing
        self.received = self.received or number  # a cluster may send one twice, to the job and to each process


stop_signals = StopSignals()


def signal_of(error: BaseException) -> signal.Signals:
    """Name the signal behind an interrupt: Lightning wraps KeyboardInterrupt in SystemExit."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, Terminated):
            return cause.number
        cause = cause.__cause__ or cause.__context__
    return signal.SIGINT
