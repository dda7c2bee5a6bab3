"""The report's tables on fairness."""

from collections.abc import Mapping, Sequence

from agegender.records.predictions import TASKS
from agegender.report.page.document import Cell, Grid, Heading
from agegender.report.sections.fairness.age_errors import MIN_FACES, AgeError
from agegender.report.sections.fairness.equalized_odds import Recall
from agegender.report.sections.fairness.gaps import Gap, simultaneous_level
from agegender.report.sections.fairness.overconfidence import Overconfidence
from agegender.report.sections.fairness.slices import Accuracy, Slice
from agegender.report.statistics.crossed import Mean
from agegender.report.statistics.significance import LEVEL
from agegender.report.tables.text_formats import format_p

GapsByTask = Mapping[str, Sequence[Gap]]
OverconfidenceByTask = Mapping[str, Sequence[Overconfidence]]

_GAP = (
    "Mantel-Haenszel difference within age groups, in points; below, its interval over images and seeds: those of a "
    "configuration cover 95 % simultaneously (Bonferroni)."
)
_EXCESS = (
    "Above 0: overconfident. Below, its interval over images and seeds: those of a configuration cover 95 % "
    "simultaneously (Bonferroni)."
)


def gaps_grid(found: Mapping[str, GapsByTask]) -> Grid:
    """Return a table of the gaps of races and genders at both tasks; `found` is by label of the configuration."""
    rows = []
    for label, of_tasks in found.items():
        level = simultaneous_level(of_tasks)
        for of_one in zip(*(of_tasks[task] for task in TASKS), strict=True):
            first = of_one[0]
            cells = [
                _name(label, first.name),
                Cell(f"{first.num_images:,}", first.num_images),
                Cell(f"{first.num_others:,}", first.num_others),
            ]
            for gap in of_one:
                cells += [_gap(gap, level), _points(gap.raw.value), _shown(gap.is_shown(level))]
            rows.append(tuple(cells))
    headings = [
        Heading("Group", "A race against all other races; female against male faces."),
        Heading("Images", numeric=True),
        Heading("Others", numeric=True),
    ]
    for task in TASKS:
        title = task.capitalize()
        headings += [
            Heading(f"{title}, within age groups", _GAP, numeric=True),
            Heading(f"{title}, raw", "Difference of the two accuracies regardless of age, in points.", numeric=True),
            Heading(f"{title}, gap", "Whether the interval within age groups excludes 0."),
        ]
    return Grid("Gaps of accuracy between races and genders, points", tuple(headings), tuple(rows))


def recalls_grid(found: Mapping[str, Sequence[Recall]]) -> Grid:
    """Return a table of the recall of male and female faces by race; `found` is by label of the configuration."""
    rows = []
    for label, of_all in found.items():
        level = LEVEL / len(of_all)
        for race in dict.fromkeys(recall.race for recall in of_all):
            cells = [_name(label, race)]
            for gender in ("male", "female"):
                of_one = [recall for recall in of_all if (recall.race, recall.gender) == (race, gender)]
                cells += _recall(of_one[0], level) if of_one else [Cell("0", 0), Cell("-")]
            rows.append(tuple(cells))
    help_text = "Share predicted right; below, its interval: those of a configuration cover 95 % simultaneously."
    headings = [Heading("Race")]
    for gender in ("male", "female"):
        headings += [
            Heading(f"{gender.capitalize()} faces", numeric=True),
            Heading(f"Recall of {gender}, %", help_text, numeric=True),
        ]
    return Grid("Equalized odds of the gender task by race", tuple(headings), tuple(rows))


def overconfidence_grid(found: Mapping[str, OverconfidenceByTask]) -> Grid:
    """Return a table of confidence minus accuracy in each group; `found` is by label of the configuration."""
    rows = []
    for label, of_tasks in found.items():
        level = LEVEL / sum(len(groups) for groups in of_tasks.values())
        for of_one in zip(*(of_tasks[task] for task in TASKS), strict=True):
            cells = [_name(label, of_one[0].name), Cell(f"{of_one[0].num_images:,}", of_one[0].num_images)]
            for group in of_one:
                low, high = group.interval(level)
                note = f"{100 * low:+.1f} to {100 * high:+.1f}"
                cells += [Cell(f"{100 * group.value:+.1f}", group.value, note=note), _shown(low > 0 or high < 0)]
            rows.append(tuple(cells))
    headings = [Heading("Group"), Heading("Images", numeric=True)]
    for task in TASKS:
        title = task.capitalize()
        headings += [
            Heading(f"{title}, confidence minus accuracy", _EXCESS, numeric=True),
            Heading(f"{title}, difference", "Whether the interval excludes 0."),
        ]
    caption = "Calibration by group: mean confidence minus accuracy, points"
    return Grid(caption, tuple(headings), tuple(rows))


def age_errors_grid(label: str, errors: Sequence[AgeError]) -> Grid:
    """Return a table of the error of the predicted years by true age."""
    rows = tuple(
        (
            Cell(error.name, error.first),
            Cell(f"{error.num_images:,}", error.num_images),
            _years(error.absolute, error.num_images),
            _years(error.bias, error.num_images, "+"),
        )
        for error in errors
    )
    headings = (
        Heading("True age, years"),
        Heading("Faces", numeric=True),
        Heading("Mean absolute error, years", "Below, its 95 % interval, for each row alone.", numeric=True),
        Heading("Bias, years", "Mean of predicted minus true; below, its 95 % interval.", numeric=True),
    )
    notes = (f"Years with fewer than {MIN_FACES} faces are pooled with the next ones.",)
    return Grid(f"{label}: error by true age", headings, rows, notes)


def slices_grid(label: str, parts: Sequence[Slice], worst: Mapping[str, Slice | None]) -> Grid:
    """Return a table of the slices of a configuration; empty slices are only counted.

    Args:
        label: of the configuration.
        parts: as `slices.slices` returns them.
        worst: by task, the slice that is worst off; its accuracy is marked.
    """
    rows = []
    for part in parts:
        if not part.num_images:
            continue
        cells = [Cell(part.name, part.name), Cell(f"{part.num_images:,}", part.num_images)]
        for task in TASKS:
            accuracy = part.accuracy[task]
            mark = "worst" if part is worst[task] else ""
            cells += [_share(accuracy.value, accuracy.interval, mark), _rest(accuracy)]
        rows.append(tuple(cells))
    headings = [Heading("Slice"), Heading("Images", numeric=True)]
    for task in TASKS:
        title = task.capitalize()
        headings += [
            Heading(
                f"{title} accuracy, %", "Below, its interval: those of the column cover 95 % simultaneously.", True
            ),
            Heading(
                f"{title}, rest of its age group, %",
                "Below, the adjusted p-value of the hypothesis that the slice is no worse.",
                True,
            ),
        ]
    empty = sum(part.num_images == 0 for part in parts)
    notes = (f"{empty} slices have no test image.",) if empty else ()
    return Grid(f"{label}: gender x race x age group", tuple(headings), tuple(rows), notes)


def p_text(value: float) -> str:
    """Return a p-value as `p = 0.0123` or `p < 0.0001`."""
    text = format_p(value)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def _name(label: str, name: str) -> Cell:
    return Cell(f"{label}: {name}", f"{label}: {name}")


def _shown(yes: bool) -> Cell:
    return Cell("shown", 1) if yes else Cell("not shown", 0)


def _points(value: float) -> Cell:
    return Cell(f"{100 * value:+.1f}", value)


def _gap(gap: Gap, level: float) -> Cell:
    value = gap.within.value
    if value != value:
        return Cell("-")
    low, high = gap.within.interval(level)
    return Cell(f"{100 * value:+.1f}", value, note=f"{100 * low:+.1f} to {100 * high:+.1f}")


def _recall(recall: Recall, level: float) -> list[Cell]:
    interval = recall.mean.exact_share_interval(level)
    return [Cell(f"{recall.num_images:,}", recall.num_images), _share(recall.mean.value, interval)]


def _years(mean: Mean, num_images: int, sign: str = "") -> Cell:
    """Return a cell of a mean in years; a single face has no interval."""
    low, high = mean.interval()
    note = f"{low:{sign}.1f} to {high:{sign}.1f}" if num_images > 1 else ""
    return Cell(f"{mean.value:{sign}.1f}", mean.value, note=note)


def _rest(accuracy: Accuracy) -> Cell:
    """Return a cell of the accuracy that a combination is compared with; a dash for slices without one."""
    if accuracy.rest != accuracy.rest:
        return Cell("-")
    return Cell(f"{100 * accuracy.rest:.1f}", accuracy.rest, note=p_text(accuracy.p_value))


def _share(value: float, interval: tuple[float, float], mark: str = "") -> Cell:
    return Cell(f"{100 * value:.1f}", value, mark, f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}")
