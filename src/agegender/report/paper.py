"""The results that Uraimov & Yoo 2022 published in Table 2."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """One row of Table 2.

    Attributes:
        age, gender: accuracy in percent; None where the paper prints none.
        params: millions, as printed: some are of networks with 1,000 classes.
        training_time: no unit is printed.
    """

    age: float
    gender: float | None
    params: float
    training_time: float | None


_SMALL = Published(61.34, 88.67, 11.5, 75)
_SMALL_WEIGHTED = Published(52.85, None, 11.5, None)

TABLE_2 = {
    ("alexnet", "plain"): Published(55.96, 85.10, 61, 398),
    ("vgg11", "plain"): Published(57.06, 83.63, 133, 90),
    ("resnet18", "plain"): Published(58.60, 87.40, 11, 120),
    ("densenet161", "plain"): Published(59.22, 87.28, 26.6, 150),
    ("small_cnn", "plain"): _SMALL,
    ("small_cnn", "weighted"): _SMALL_WEIGHTED,
    ("small_cnn_pooled", "plain"): _SMALL,  # the other reading of the same network
    ("small_cnn_pooled", "weighted"): _SMALL_WEIGHTED,
}
MODEL_ORDER = ("alexnet", "vgg11", "resnet18", "densenet161", "small_cnn", "small_cnn_pooled")
TEST_IMAGES = 4_821  # in the paper's test part
CONDITIONS = (
    "Paper: Uraimov & Yoo 2022, Table 2: one run on 24,104 UTKFace images, 4,821 of them for testing, 256 x 256 "
    "pixels, 30 epochs; its sampling error alone is 1.37 points (age) and 0.89 (gender) at 95 %; some of its "
    "parameter counts are of networks with 1,000 classes; its training time has no unit."
)
