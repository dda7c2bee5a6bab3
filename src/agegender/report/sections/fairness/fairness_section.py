"""The report's section on fairness: who is served how well."""

from collections.abc import Sequence
from dataclasses import dataclass

from agegender.report.page.document import Figure, Grid, Section
from agegender.report.results import Configuration, SweepResults
from agegender.report.sections.fairness import (
    age_error_figure,
    age_errors,
    equalized_odds,
    fairness_grids,
    gaps,
    shown_grid,
    slices,
)
from agegender.report.sections.fairness.overconfidence import Overconfidence, overconfidence
from agegender.report.sections.highlighted import MAX_SHOWN, highlighted_configurations, predictions_of
from agegender.report.statistics.analysis import TASKS, Analysis

_TITLE = "Who is served how well"
_LABELS = (
    "Gender and race are the labels of the data set: perceived from the face, gender binary. Each configuration is "
    "tested by itself, at 5 %. A difference is called shown where its interval, or its adjusted p-value, excludes "
    "equality; a difference that is not shown may still exist. Intervals cover images and seeds; few seeds say little "
    "about the variation between trainings, which makes some intervals wide."
)
_GAPS = (
    "Gaps within age groups: races differ in age, and accuracy depends on age, so a raw difference between races may "
    "be a difference between ages. Equalized odds: recall of male and of female faces, all pairs of races compared; a "
    "hit and a miss are added to both sides of a comparison (Agresti & Caffo 2000), Holm's adjustment for all "
    "comparisons."
)
_WORST_OFF = (
    "Worst off: of the combinations of gender, race and age group that are predicted right significantly less often "
    "than the rest of their own age group, the one with the lowest accuracy (Fisher's exact test of each seed, seeds "
    "combined by twice their mean p-value, Holm's adjustment for all combinations of a configuration and task). Where "
    "none is named, no slice is shown to be served worse than its own age group."
)
_COARSE = {True: " (coarse years)", None: " (years perhaps coarse)", False: ""}  # by `Record.coarse_years`
_COARSE_TEXT = (
    "Coarse years are the typical age of a predicted group, so their error by year of age is mostly the distance to "
    "the nearest of these ages."
)


@dataclass(frozen=True)
class _Findings:
    """All measures of fairness of one configuration."""

    configuration: Configuration
    gaps: dict[str, list[gaps.Gap]]
    recalls: list[equalized_odds.Recall]
    recall_gaps: list[equalized_odds.RecallGap]
    overconfidence: dict[str, list[Overconfidence]]
    age_errors: list[age_errors.AgeError]
    parts: list[slices.Slice]
    worst: dict[str, slices.Slice | None]

    @property
    def label(self) -> str:
        return self.configuration.label

    @property
    def coarse_label(self) -> str:
        """Its label, which says so where its predicted years are coarse."""
        return self.label + _COARSE[self.configuration.measured[0].record.coarse_years]


def fairness_section(sweep: SweepResults, analysis: Analysis) -> Section:
    """Return the section on gaps, equalized odds, calibration by group, error by age and slices."""
    shown_ones = [one for one in highlighted_configurations(sweep, analysis) if predictions_of(one)]
    found = [_findings(configuration) for configuration in shown_ones[:MAX_SHOWN]]
    if not found:
        return Section("fairness", _TITLE)
    text = [_LABELS, _GAPS, _WORST_OFF]
    if any(one.coarse_label != one.label for one in found):
        text.append(_COARSE_TEXT)
    shown = {one.label: shown_grid.ShownDifferences(one.gaps, one.recall_gaps, one.worst) for one in found}
    blocks: list[Grid | Figure] = [
        shown_grid.shown_grid(shown),
        fairness_grids.gaps_grid({one.label: one.gaps for one in found}),
    ]
    odds = {one.label: one.recalls for one in found if one.recalls}
    if odds:
        blocks.append(fairness_grids.recalls_grid(odds))
    blocks.append(fairness_grids.overconfidence_grid({one.label: one.overconfidence for one in found}))
    with_years = [one for one in found if one.age_errors]
    if with_years:
        blocks += _error_figures(with_years)
        blocks += [fairness_grids.age_errors_grid(one.coarse_label, one.age_errors) for one in with_years]
    blocks += [fairness_grids.slices_grid(one.label, one.parts, one.worst) for one in found]
    return Section("fairness", _TITLE, tuple(text), tuple(blocks))


def _findings(configuration: Configuration) -> _Findings:
    runs = predictions_of(configuration)
    parts = slices.slices(runs)
    return _Findings(
        configuration,
        {task: gaps.gaps(runs, task) for task in TASKS},
        equalized_odds.recalls(runs),
        equalized_odds.recall_gaps(runs),
        {task: overconfidence(runs, task) for task in TASKS},
        age_errors.age_errors(runs),
        parts,
        {task: slices.worst_off(parts, task) for task in TASKS},
    )


def _error_figures(found: Sequence[_Findings]) -> list[Grid | Figure]:
    curves = [(one.coarse_label, one.age_errors) for one in found]
    return [
        age_error_figure.errors_by_age(
            curves,
            lambda error: error.absolute,
            "mean absolute error, years",
            "age-error",
            "Mean absolute error of the predicted age, by true age",
        ),
        age_error_figure.errors_by_age(
            curves,
            lambda error: error.bias,
            "predicted minus true, years",
            "age-bias",
            "Bias of the predicted age, by true age",
        ),
    ]
