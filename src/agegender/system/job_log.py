"""A job's own log on a disk that may be full."""

import logging
import sys

from agegender.system.errors import first_line


class JobLog(logging.FileHandler):
    """Handler that writes `train.log`; named in `conf/hydra/default.yaml`.

    Python's own handler prints a traceback for each line that cannot be written. With this one the job continues, or
    fails on the same disk itself and ends with one line that says so.
    """

    _has_warned = False

    def handleError(self, record: logging.LogRecord) -> None:
        """Warn once that lines will be missing."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self._has_warned:
            self._has_warned = True
            print(f"warning: {self.baseFilename} is missing lines: {first_line(error)}", file=sys.stderr)
