"""APPA-REAL, Agustsson et al. 2017, with the apparent ages: the mean guess of about 38 people; see `appa_real`."""

from agegender.data.sources.face_labels import Labels
from agegender.data.sources.label_files import LabelFiles
from agegender.data.sources.sets.appa_real import read_ages

FILES = ("gt_avg_train.csv", "gt_avg_valid.csv", "gt_avg_test.csv")


def read(files: LabelFiles) -> Labels:
    """Read the parts with apparent ages."""
    return read_ages(files, "apparent_age_avg")
