"""Which file lies where in a job's directory."""

from dataclasses import dataclass
from pathlib import Path

from agegender.records import record
from agegender.records.record import FILE_NAME, PREDICTIONS, VALIDATION_PREDICTIONS, Record

LAST = Path("checkpoints", "last.ckpt")  # what a job resumes from


@dataclass(frozen=True)
class JobFolder:
    """The directory of a job, `runs/<name>/<model>/<loss>/<seed>`; an evaluation's has a record and predictions only.

    Attributes:
        path: of the directory.
    """

    path: Path

    @classmethod
    def of_checkpoint(cls, checkpoint: Path) -> "JobFolder":
        """Return the directory of the job that wrote a checkpoint; if the file was copied, the directory it is in."""
        folder = checkpoint.parent
        return cls(folder.parent if folder.name == LAST.parent.name else folder)

    def __str__(self) -> str:
        return str(self.path)

    @property
    def record(self) -> Path:
        return self.path / FILE_NAME

    @property
    def config(self) -> Path:
        """The resolved configuration, for people: the record holds it too."""
        return self.path / "config.yaml"

    @property
    def predictions(self) -> Path:
        """Predictions for the test part."""
        return self.path / PREDICTIONS

    @property
    def validation_predictions(self) -> Path:
        return self.path / VALIDATION_PREDICTIONS

    @property
    def checkpoints(self) -> Path:
        return self.path / LAST.parent

    @property
    def best(self) -> Path:
        """The checkpoint of the best epoch, which is tested."""
        return self.checkpoints / "best.ckpt"

    @property
    def last(self) -> Path:
        return self.path / LAST

    @property
    def output(self) -> Path:
        """What the job's process printed, where a launcher started one; the job itself logs to `train.log`."""
        return self.path / "output.log"

    @property
    def attempts(self) -> Path:
        """How often a launcher has restarted the job since its last checkpoint."""
        return self.path / ".attempts.json"

    @property
    def lock(self) -> Path:
        """Base path of the lock of the process that trains here; the file on disk is `.job.lease`."""
        return self.path / "job"

    def evaluation(self, name: str) -> "JobFolder":
        """Return the directory of one of the evaluations of this job's network."""
        return JobFolder(self.path / "eval" / name)

    def read(self) -> Record | None:
        """Read the record; None where no job has begun here.

        Raises:
            InputError: the file is not a record that this version can read.
        """
        return record.read(self.path)

    def write(self, entry: Record) -> None:
        """Write the record, whole or not at all."""
        record.write(self.path, entry)
