"""Figure of errors by true age."""

from figure_examples import bias, errors

from agegender.report.sections.fairness.age_error_figure import errors_by_age


def test_the_error_by_age_is_told_where_it_is_largest():
    assert "Farthest from 0: small_cnn: -35.0 at 60." in bias("small_cnn", errors(20, 30, 60)).alt


def test_many_errors_by_age_have_no_bands():
    def drawn(number: int) -> str:
        curves = [(f"model{n}", errors(20, 30)) for n in range(number)]
        svg = errors_by_age(curves, lambda error: error.bias, "years", "b", "Bias").svg
        assert svg is not None
        return svg

    assert drawn(3).count("PolyCollection") == 3
    assert drawn(4).count("PolyCollection") == 0
