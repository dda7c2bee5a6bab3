"""The legal age of an age check, and the ages that it may require."""

import math
from dataclasses import dataclass

import numpy as np

from agegender.labels import CHALLENGE_AGE, MINORS_PASSED, THRESHOLD_AGE

# Years, the first of the group 13-20: 81 % of UTKFace's minors are younger and would dominate a rate of all minors.
TEENAGER = 13


@dataclass(frozen=True)
class AgeLimits:
    """The ages at which an age check is evaluated.

    Attributes:
        threshold_age: years; a younger person is a minor.
        challenge_age: years; required instead of the threshold, as a margin for the error of the predicted age.
        minors_passed: share of the teenagers of the validation part that may reach a chosen age, in (0, 1).
    """

    threshold_age: float = THRESHOLD_AGE
    challenge_age: float = CHALLENGE_AGE
    minors_passed: float = MINORS_PASSED

    @property
    def teenage_years(self) -> str:
        """First and last year of the teenage minors, such as `13 to 17` for a threshold of 18."""
        last = math.ceil(self.threshold_age) - 1
        return f"{TEENAGER} to {last}" if last > TEENAGER else f"{TEENAGER}"

    def minors(self, years: np.ndarray) -> np.ndarray:
        """Return whether each age is below the threshold: bool (N,)."""
        return years < self.threshold_age

    def teenagers(self, years: np.ndarray) -> np.ndarray:
        """Return whether each age is that of a minor of 13 years or more: bool (N,)."""
        return self.minors(years) & (years >= TEENAGER)
