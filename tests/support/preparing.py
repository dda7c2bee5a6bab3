"""Methods that have seen a training set."""

from collections.abc import Mapping
from typing import TypeVar

import torch

from agegender.labels import NUM_AGES, age_groups
from agegender.losses.base import Method

AnyMethod = TypeVar("AnyMethod", bound=Method)


def prepare(method: AnyMethod, num_images: Mapping[int, int], scheme: str = "closed") -> AnyMethod:
    """Show a method its training set, and return the method.

    Args:
        method: is changed.
        num_images: training images by age in years.
        scheme: of the age groups.
    """
    age_counts = torch.zeros(NUM_AGES, dtype=torch.int64)
    for age, count in num_images.items():
        age_counts[age] = count
    method.prepare(age_counts, torch.from_numpy(age_groups(scheme).group_of_age))
    return method
