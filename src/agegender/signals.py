"""Signals that end a job early: SIGTERM, and SIGUSR1, by which a cluster tells that the time limit is near."""

import signal
from typing import Any

_STOPS = (signal.SIGTERM, signal.SIGUSR1)


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
        deferring: whether somebody looks at `received` before long.
        received: number of the signal that came while deferring; None if none did.
    """

    def __init__(self) -> None:
        self.deferring = False
        self.received: int | None = None

    def install(self) -> None:
        """Handle the signals from now on; only in the main thread."""
        self.deferring, self.received = False, None
        for number in _STOPS:
            signal.signal(number, self._handle)

    def _handle(self, number: int, frame: Any) -> None:
        if not self.deferring:
            raise Terminated(number)
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
