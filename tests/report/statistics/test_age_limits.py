"""The ages of an age check."""

import numpy as np

from agegender.report.statistics.age_limits import AgeLimits


def test_teenage_years_end_before_the_threshold():
    assert AgeLimits(18).teenage_years == AgeLimits(17.5).teenage_years == "13 to 17"
    assert AgeLimits(14).teenage_years == "13"
    years = np.array([12, 13, 17, 18])
    assert AgeLimits().teenagers(years).tolist() == [False, True, True, False]
    assert AgeLimits().minors(years).tolist() == [True, True, True, False]
