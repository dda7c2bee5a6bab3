"""The vocabulary of UTKFace: ages in years, the age-group schemes, genders and races."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MAX_AGE = 120  # years; UTKFace's oldest face is 116, and a larger number in a file name is a mistake
NUM_AGES = MAX_AGE + 1  # A: one entry per year of age, 0 to 120
NUM_YEARS = 101  # Y: ages as classes, 0 to 100; the few older faces count as 100
NUM_GROUPS = 8  # G, in every scheme by name
GENDERS = ("male", "female")
RACES = ("White", "Black", "Asian", "Indian", "Others")
THRESHOLD_AGE = 18  # years; a younger person is a minor, unless a report sets another age
CHALLENGE_AGE = 25  # years; British shops ask everybody who looks younger for proof of age ("Challenge 25")
MINORS_PASSED = 0.05  # share of the validation part's minors aged 13 or more that a chosen age may let pass
UNKNOWN_RACE = -1  # three of UTKFace's file names contain no race

# Adience's age ranges in years, first and last year of each; Eidinger et al. 2014.
_ADIENCE = ((0, 2), (4, 6), (8, 13), (15, 20), (25, 32), (38, 43), (48, 53), (60, MAX_AGE))
# The same labels with the gaps closed, so that every face has a group.
_CLOSED = ((0, 2), (3, 6), (7, 12), (13, 20), (21, 32), (33, 43), (44, 53), (54, MAX_AGE))


@dataclass(frozen=True)
class AgeGroups:
    """A scheme of age groups.

    Attributes:
        scheme: the name that `data.age_groups` takes.
        names: G labels such as "21-32", youngest first.
        group_of_age: (A,) group index of each age in years; -1 where the scheme drops the age.
    """

    scheme: str
    names: tuple[str, ...]
    group_of_age: np.ndarray

    def of(self, ages: np.ndarray) -> np.ndarray:
        """Return the group index of each age in years, -1 where the scheme drops the age."""
        return self.group_of_age[ages]

    def of_spans(self, first_ages: np.ndarray, last_ages: np.ndarray) -> np.ndarray:
        """Return the group index that holds all ages from the first to the last; -1 if none does, or ages are -1."""
        return group_of_spans(self.group_of_age, first_ages, last_ages)


def group_of_spans(group_of_age: np.ndarray, first_ages: np.ndarray, last_ages: np.ndarray) -> np.ndarray:
    """Return the group index, (N,), that holds all ages from the first to the last; -1 if none does, or they are -1.

    Args:
        group_of_age: (A,) group index of each age, -1 where a scheme drops it.
        first_ages: int64 (N,) youngest ages in years.
        last_ages: int64 (N,) oldest ages.
    """
    first = np.where(first_ages >= 0, group_of_age[first_ages], -1)
    last = np.where(last_ages >= 0, group_of_age[last_ages], -1)
    return np.where(first == last, first, -1)  # groups are ranges: what is between two ages of one is in it


def _names(ranges: tuple[tuple[int, int], ...]) -> tuple[str, ...]:
    return (*(f"{first}-{last}" for first, last in ranges[:-1]), f"{ranges[-1][0]}+")


def _inside(ranges: tuple[tuple[int, int], ...]) -> np.ndarray:
    group_of_age = np.full(NUM_AGES, -1, dtype=np.int64)
    for group, (first, last) in enumerate(ranges):
        group_of_age[first : last + 1] = group
    return group_of_age


def _nearest(ranges: tuple[tuple[int, int], ...]) -> np.ndarray:
    ages = np.arange(NUM_AGES)[:, None]  # (A, 1)
    first, last = np.array(ranges).T  # (G,) each
    distance = np.maximum(np.maximum(first - ages, ages - last), 0)  # (A, G), years outside the range
    return distance.argmin(axis=1)  # argmin returns the first minimum: a tie goes to the younger group


_SCHEMES = {
    "closed": AgeGroups("closed", _names(_CLOSED), _inside(_CLOSED)),
    "nearest": AgeGroups("nearest", _names(_ADIENCE), _nearest(_ADIENCE)),
    "strict": AgeGroups("strict", _names(_ADIENCE), _inside(_ADIENCE)),
}
SCHEMES = tuple(_SCHEMES)


def _of_edges(edges: Sequence[int]) -> AgeGroups:
    scheme = f"[{','.join(map(str, edges))}]"
    ages = list(edges)
    if len(ages) < 2 or ages != sorted(set(ages)) or ages[0] < 0 or ages[-1] > MAX_AGE:
        raise ValueError(
            f"data.age_groups={scheme}: give the first year of each group, at least two, ascending, of 0 to {MAX_AGE}, "
            "such as [0,18,65]"
        )
    ranges = tuple(zip(ages, [*(edge - 1 for edge in ages[1:]), MAX_AGE], strict=True))
    return AgeGroups(scheme, _names(ranges), _inside(ranges))


def age_groups(scheme: str | Sequence[int]) -> AgeGroups:
    """Look up a scheme of age groups, or make one.

    Args:
        scheme: `closed`: Adience's groups with the gaps closed. `nearest`: each age to the nearest Adience group,
            ties to the younger. `strict`: Adience's own ranges; other ages are dropped. Or the first year of each
            group, such as [0, 18, 65]; younger ages are dropped.

    Raises:
        ValueError: no such scheme.
    """
    if not isinstance(scheme, str):
        return _of_edges(scheme)
    if scheme not in _SCHEMES:
        raise ValueError(f"data.age_groups={scheme}: no such scheme; choose one of {', '.join(SCHEMES)}")
    return _SCHEMES[scheme]
