"""A job's own log on a disk that may be full."""

import logging
import sys

from agegender.system.errors import first_line


class JobLog(logging.FileHandler):
    """Writes `train.log`; named in `conf/hydra/default.yaml`.

    Python's own prints a traceback for each line that the disk refuses. The job goes on, or meets the same disk itself
    and ends with one line that says so.
    """

    _was_told = False

    def handleError(self, record: logging.LogRecord) -> None:
        """Tell once that lines will be missing."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self._was_told:
            self._was_told = True
            print(f"warning: {self.baseFilename} misses lines: {first_line(error)}", file=sys.stderr)
