"""Why this process starts no further job."""


class StopFlag:
    """Set by a signal, a failed job under `on_error=stop`, or a broken GPU; it holds until the process ends.

    The flag is each process's own. Where a launcher of Hydra's runs jobs in worker processes (joblib), the worker of a
    failed job takes the jobs that wait and starts none of them, but jobs that other workers have begun run to their
    end. Where it runs a process for each job (submitit), all jobs of a batch start. No launcher starts another batch:
    see `sweeps.launch.collect`.

    Attributes:
        reason: why no further job may start; None while they may.
        signal: number of the signal that ended the jobs; None if none did.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self.signal: int | None = None

    def interrupt(self, number: int | None) -> None:
        """Start no further job after the signal of this number; None: there was none, and nothing changes."""
        if number is not None:
            self.signal = number
            self.reason = "interrupted"


stop_flag = StopFlag()
