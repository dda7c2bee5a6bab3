"""Figures for tests, of values that are simple to check."""

from xml.etree import ElementTree

import numpy as np
from made_runs import make_predictions

from agegender.report.figures.interval_plot import interval_plot
from agegender.report.figures.network import Layer
from agegender.report.page.document import Figure
from agegender.report.sections.fairness.age_error_figure import errors_by_age
from agegender.report.sections.fairness.age_errors import AgeError, age_errors
from agegender.report.sections.under_age.age_check import AgeCheck, ThresholdCurve, WrongSide
from agegender.report.statistics.crossed import crossed_mean
from agegender.report.statistics.significance import Ranks

SVG = "{http://www.w3.org/2000/svg}"
NASTY = "$x_1$ <b>&amp; \\alpha"
SECOND = "a second label of some length"


def texts(figure: Figure) -> list[str]:
    assert figure.svg is not None
    return ["".join(element.itertext()) for element in ElementTree.fromstring(figure.svg).iter(f"{SVG}text")]


def hits(number: int, total: int) -> np.ndarray:
    return (np.arange(total) < number)[None]


CHOSEN = (31.5, hits(1, 20), hits(6, 8))


def check(label: str) -> AgeCheck:
    asked = np.array([10.0, 18.0, 30.0, 40.0])
    curve = ThresholdCurve(asked, np.array([1.0, 0.25, 0.1, 0.0]), np.array([0.0, 0.125, 0.5, 1.0]))
    at_threshold, at_challenge, at_chosen = (
        WrongSide((age,), crossed_mean(passed), crossed_mean(passed), crossed_mean(refused))
        for age, passed, refused in ((18.0, hits(5, 20), hits(1, 8)), (25.0, hits(2, 20), hits(4, 8)), CHOSEN)
    )
    return AgeCheck(label, curve, at_threshold, at_challenge, at_chosen)


def conv(channels: int, side: int, number: int = 0) -> Layer:
    return Layer(f"features.{number}", "Conv2d", (channels, side, side), 1_000, 2_000_000)


def ranks(*mean_ranks: float) -> Ranks:
    return Ranks(np.array(mean_ranks), 0.0123, 1.2, 5)


def errors(*years: int) -> list[AgeError]:
    """Two faces of each age, taken for 20 and 30."""
    predicted = [20.0, 30.0] * len(years)
    made = make_predictions([4] * len(predicted), years=np.repeat(years, 2), years_predicted=predicted)
    return age_errors([made], least=2)


def bias(label: str, found: list[AgeError]) -> Figure:
    return errors_by_age([(label, found)], lambda error: error.bias, "predicted minus true, years", "b", "Bias")


def two_intervals(label: str) -> Figure:
    rows = [(label, 60.0, 58.0, 62.0, "best"), (SECOND, 50.0, None, None, "")]
    return interval_plot(rows, "i", "Intervals", "accuracy, %")
