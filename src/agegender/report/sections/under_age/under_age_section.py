"""The report's section on under-age faces, for the paper's claim of a remedy."""

from collections.abc import Sequence
from dataclasses import dataclass

from agegender.records.predictions import Predictions
from agegender.records.record import VALIDATION_PREDICTIONS
from agegender.report.page.document import Figure, Grid, Section
from agegender.report.results import Configuration, SweepResults
from agegender.report.sections.highlighted import MAX_SHOWN, predictions_of, runs_on_the_same_images
from agegender.report.sections.under_age import threshold_figure, under_age_grids
from agegender.report.sections.under_age.age_check import (
    AgeCheck,
    check_ages,
    choose_age,
    min_teenagers,
    passed_range,
)
from agegender.report.sections.under_age.validation import read_years
from agegender.report.statistics.age_limits import TEENAGER, AgeLimits
from agegender.report.statistics.boundary_errors import (
    UNDERAGE_GROUP,
    PairedDifference,
    boundary_errors,
    has_underage_group,
    paired_difference,
)
from agegender.report.statistics.significance import LEVEL

_PLAIN = "plain"  # the loss whose errors the paper wants to remedy


def under_age_section(sweep: SweepResults, limits: AgeLimits) -> Section:
    """Return the section that measures the paper's "solution of underage prevention"."""
    measured = [one for one in sweep.configurations if one.measured and _has_years(one)]
    if not measured:
        return Section("under-age", "Under-age faces")
    first = predictions_of(measured[0])[0]
    group = first.groups[UNDERAGE_GROUP]
    found = [(one.label, boundary_errors(predictions_of(one), limits)) for one in measured]
    blocks: list[Grid | Figure] = [under_age_grids.boundary_errors_grid(found, group, limits)]
    compared = _to_plain(measured, limits)
    if compared:
        blocks.append(under_age_grids.plain_differences_grid(compared, group, limits))
    text = [_claim(group, first, limits), _intervals(measured)]
    exact = [one for one in measured if one.complete[0].record.coarse_years is False]
    if not exact:
        text.append(
            "None of these methods predicts years: a group classifier's years are the typical age of a group, so no "
            f"rates at {limits.threshold_age:g} are given."
        )
        return Section("under-age", "Under-age faces", tuple(text), tuple(blocks))
    more, checks = _age_checks(exact, limits)
    return Section("under-age", "Under-age faces", (*text, *more), (*blocks, *checks))


def _has_years(configuration: Configuration) -> bool:
    """Whether every test image has an exact age, and the groups are the paper's: else nobody can be told a minor."""
    return all(run.tested.is_complete and has_underage_group(run.tested.groups) for run in configuration.measured)


def _claim(group: str, first: Predictions, limits: AgeLimits) -> str:
    inside = first.group == UNDERAGE_GROUP
    adults = int((inside & ~limits.minors(first.years)).sum())
    age = f"{limits.threshold_age:g}"
    return (
        "The paper: with the plain loss over 52 % of true 15-20 year olds are predicted older, and the weighted loss "
        f"is offered as the remedy. Of the {inside.sum():,} test images of the group {group}, {adults:,} show adults "
        f"of {age} years or more, so its minors are also counted alone. A method that predicts everybody younger "
        "would also look like a remedy, so the reverse error is shown beside it. Only methods that predict years can "
        f"decide whether somebody is taken for an adult at {age}."
    )


def _intervals(measured: Sequence[Configuration]) -> str:
    """Return a sentence on what the intervals cover."""
    covered = f"Intervals cover {100 * (1 - LEVEL):g} %, over test images and training seeds together."
    if all(len(predictions_of(one)) > 1 for one in measured):
        return covered
    single = "With one seed only the images vary: shares, intervals and tests are about that network, not the method."
    return f"{covered} {single}"


def _to_plain(measured: Sequence[Configuration], limits: AgeLimits) -> list[tuple[str, list[PairedDifference]]]:
    """Compare each configuration with the one that differs only in the plain loss, on the same images."""
    by_label = {one.label: one for one in measured}
    found = []
    for one in measured:
        plain = by_label.get(f"{one.model} / {_PLAIN}{one.label.removeprefix(f'{one.model} / {one.loss}')}")
        if plain is None or plain is one or plain.measured[0].images_id != one.measured[0].images_id:
            continue
        ours, theirs = (boundary_errors(predictions_of(each), limits) for each in (one, plain))
        pairs = [
            paired_difference(ours.group, theirs.group),
            paired_difference(ours.minors, theirs.minors),
            paired_difference(ours.older, theirs.older),
        ]
        found.append((one.label, pairs))
    return found


@dataclass(frozen=True)
class _ChosenAges:
    """Ages that were chosen on the validation parts of a configuration's runs.

    Attributes:
        ages: one per run; None where any of them has none.
        num_teenagers: in the validation part of the first run that could be read; 0 where none could.
        num_unread: runs without readable predictions of their validation part.
    """

    ages: tuple[float, ...] | None
    num_teenagers: int
    num_unread: int


def _choose(configuration: Configuration, limits: AgeLimits) -> _ChosenAges:
    read = [read_years(run) for run in runs_on_the_same_images(configuration)]
    known = [years for years in read if years is not None]
    num_teenagers = int(limits.teenagers(known[0][0]).sum()) if known else 0
    chosen = [choose_age(*years, limits) for years in known]
    ages = tuple(age for age in chosen if age is not None)
    return _ChosenAges(ages if len(ages) == len(read) else None, num_teenagers, len(read) - len(known))


def _age_checks(exact: Sequence[Configuration], limits: AgeLimits) -> tuple[list[str], list[Grid | Figure]]:
    """Evaluate the age checks of the methods that predict years."""
    years = predictions_of(exact[0])[0].years
    num_minors = int(limits.minors(years).sum())
    num_teenagers = int(limits.teenagers(years).sum())
    if num_minors in (0, len(years)):
        return [f"The test images do not hold both minors and adults at {limits.threshold_age:g} years."], []
    younger = num_minors - num_teenagers
    text = [
        f"Of the {num_minors:,} minors in the test images {younger:,} ({100 * younger / num_minors:.0f} %) are younger "
        f"than {TEENAGER} years; those of {limits.teenage_years} are also counted alone."
    ]
    chosen = [_choose(one, limits) for one in exact]
    num_runs = sum(len(runs_on_the_same_images(one)) for one in exact)
    checks = [
        check_ages(one.label, predictions_of(one), limits, chosen_ages.ages)
        for one, chosen_ages in zip(exact, chosen, strict=True)
    ]
    return [*text, *_on_choosing(chosen, num_runs, limits)], _check_blocks(checks, limits)


def _on_choosing(chosen: Sequence[_ChosenAges], num_runs: int, limits: AgeLimits) -> list[str]:
    """Return sentences on how ages were chosen, and on where none could be chosen."""
    share = f"{100 * limits.minors_passed:g} %"
    text = []
    numbers = [one.num_teenagers for one in chosen if one.ages is not None]
    if numbers:
        low, high = passed_range(min(numbers), limits)
        text.append(
            "An age is also chosen for each run, on its own validation part and never on the test part: the lowest "
            f"that at most {share} of new faces of {limits.teenage_years} years are expected to reach. Chosen on "
            f"{min(numbers)} faces it may let {100 * low:.1f} to {100 * high:.1f} % of all such faces pass (95 % of "
            "validation parts); the intervals of its table hold for the ages chosen here and do not cover that."
        )
    unread = sum(one.num_unread for one in chosen)
    if unread:
        text.append(
            f"No age is chosen for configurations whose runs have no readable {VALIDATION_PREDICTIONS} ({unread} of "
            f"{num_runs} runs: of an earlier version, or without a validation part)."
        )
    few = [one.num_teenagers for one in chosen if one.ages is None and not one.num_unread]
    if few:
        text.append(
            f"To choose an age that {share} reach, at least {min_teenagers(limits)} validation faces of "
            f"{limits.teenage_years} years are needed; {min(few)} are too few."
        )
    return text


def _check_blocks(checks: Sequence[AgeCheck], limits: AgeLimits) -> list[Grid | Figure]:
    """Return a table for each required age, and the figure."""
    challenge = [(one.label, one.at_challenge) for one in checks if one.at_challenge is not None]
    chosen = [(one.label, one.at_chosen) for one in checks if one.at_chosen is not None]
    caption = "Who is taken for an adult if"
    share = f"{100 * limits.minors_passed:g} %"
    threshold = [(one.label, one.at_threshold) for one in checks]
    wrong = [
        (f"{caption} {limits.threshold_age:g} years are required", threshold),
        (f"{caption} {limits.challenge_age:g} years are required", challenge),
        (f"{caption} the age is required that was chosen on the validation part for {share}", chosen),
    ]
    blocks: list[Grid | Figure] = [
        under_age_grids.wrong_side_grid(title, rows, limits) for title, rows in wrong if rows
    ]
    drawn = [one for one in checks if one.curve is not None][:MAX_SHOWN]
    if drawn:
        title = f"Minors of {limits.teenage_years} years that pass as adults against adults that are refused"
        blocks.append(threshold_figure.threshold_tradeoff(drawn, limits, "threshold", title))
    return blocks
