"""What a campaign found, as lines of a table."""

from dataclasses import dataclass


@dataclass
class Row:
    """One disturbance.

    Attributes:
        where: moment or place.
        happened: what was met there.
        code: exit code of the disturbed attempt.
        then: how the same command went on.
        differences: from the undisturbed sweep; None where nothing is to be compared.
    """

    where: str
    happened: str
    code: int
    then: str
    differences: list[str] | None

    def line(self) -> str:
        """Format it as a line of a Markdown table."""
        same = (
            "-" if self.differences is None else ("no: " + "; ".join(self.differences) if self.differences else "yes")
        )
        cells = (self.where, self.happened, str(self.code), self.then, same)
        return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"


HEADER = "| moment or place | what happened | exit code | how it went on | same result |\n|---|---|---|---|---|"
