"""The report's tables of who is served how well."""

from collections.abc import Mapping, Sequence

from agegender.records.predictions import TASKS
from agegender.report.page.document import Cell, Grid, Heading
from agegender.report.sections.fairness.age_errors import LEAST_FACES, AgeError
from agegender.report.sections.fairness.equalized_odds import Recall
from agegender.report.sections.fairness.gaps import Gap, simultaneous_level
from agegender.report.sections.fairness.overconfidence import Overconfidence
from agegender.report.sections.fairness.slices import Accuracy, Slice
from agegender.report.statistics.crossed import Mean
from agegender.report.statistics.significance import LEVEL

GapsByTask = Mapping[str, Sequence[Gap]]
OverconfidenceByTask = Mapping[str, Sequence[Overconfidence]]

_GAP = (
    "Mantel-Haenszel difference inside age groups, in points; below, an interval: all of a configuration hold at once "
    "with 95 % (Bonferroni), images and seeds included."
)
_EXCESS = (
    "Above 0: too sure. Below, an interval; all of a configuration hold at once with 95 % (Bonferroni), images and "
    "seeds included."
)


def gaps(found: Mapping[str, GapsByTask]) -> Grid:
    """Show the gaps of races and genders, of both tasks, by label of the configuration."""
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
        Heading("Of", "A race against all other races; female against male faces."),
        Heading("Images", numeric=True),
        Heading("Others", numeric=True),
    ]
    for task in TASKS:
        title = task.capitalize()
        headings += [
            Heading(f"{title}, within age groups", _GAP, numeric=True),
            Heading(f"{title}, raw", "Difference of the two accuracies whatever their ages, in points.", numeric=True),
            Heading(f"{title}, gap", "Whether the interval within age groups leaves 0 out."),
        ]
    return Grid("Gaps of accuracy between races and genders, points", tuple(headings), tuple(rows))


def recalls(found: Mapping[str, Sequence[Recall]]) -> Grid:
    """Show the recall of male and female faces by race, by label of the configuration."""
    rows = []
    for label, of_all in found.items():
        level = LEVEL / len(of_all)
        for race in dict.fromkeys(recall.race for recall in of_all):
            cells = [_name(label, race)]
            for gender in ("male", "female"):
                of_one = [recall for recall in of_all if (recall.race, recall.gender) == (race, gender)]
                cells += _recall(of_one[0], level) if of_one else [Cell("0", 0), Cell("-")]
            rows.append(tuple(cells))
    help_text = "Share predicted as they are; below, an interval: all of a configuration hold at once with 95 %."
    headings = [Heading("Race")]
    for gender in ("male", "female"):
        headings += [
            Heading(f"{gender.capitalize()} faces", numeric=True),
            Heading(f"Recall of {gender}, %", help_text, numeric=True),
        ]
    return Grid("Equalized odds of the gender task by race", tuple(headings), tuple(rows))


def overconfidence(found: Mapping[str, OverconfidenceByTask]) -> Grid:
    """Show by how much confidence exceeds accuracy in each group, by label of the configuration."""
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
            Heading(f"{title}, difference", "Whether the interval leaves 0 out."),
        ]
    caption = "Calibration by group: mean confidence minus accuracy, points"
    return Grid(caption, tuple(headings), tuple(rows))


def age_errors(label: str, errors: Sequence[AgeError]) -> Grid:
    """Show the error of the predicted years by true age."""
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
        Heading("Mean absolute error, years", "Below, its 95 % interval, of each row by itself.", numeric=True),
        Heading("Bias, years", "Mean of predicted minus true; below, its 95 % interval.", numeric=True),
    )
    notes = (f"Years with fewer than {LEAST_FACES} faces stand together with the next ones.",)
    return Grid(f"{label}: error by true age", headings, rows, notes)


def slices(label: str, parts: Sequence[Slice], worst: Mapping[str, Slice | None]) -> Grid:
    """Show every slice of a configuration with an image in it.

    Args:
        label: of the configuration.
        parts: as `slices.slices` returns them.
        worst: the slice that is worst off, by task; its accuracy is marked.
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
            Heading(f"{title} accuracy, %", "Below, an interval; all of the column hold at once with 95 %.", True),
            Heading(f"{title}, rest of its age group, %", "Below, the adjusted p-value that it is no worse.", True),
        ]
    empty = sum(part.num_images == 0 for part in parts)
    notes = (f"{empty} slices have no test image.",) if empty else ()
    return Grid(f"{label}: gender x race x age group", tuple(headings), tuple(rows), notes)


def format_p(value: float) -> str:
    """Show a p-value."""
    return "p < 0.0001" if value < 1e-4 else f"p = {value:.4f}"


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
    """Show a mean of years; a single face tells no interval."""
    low, high = mean.interval()
    note = f"{low:{sign}.1f} to {high:{sign}.1f}" if num_images > 1 else ""
    return Cell(f"{mean.value:{sign}.1f}", mean.value, note=note)


def _rest(accuracy: Accuracy) -> Cell:
    """Show what a combination is compared with; nothing of single labels."""
    if accuracy.rest != accuracy.rest:
        return Cell("-")
    return Cell(f"{100 * accuracy.rest:.1f}", accuracy.rest, note=format_p(accuracy.p_value))


def _share(value: float, interval: tuple[float, float], mark: str = "") -> Cell:
    return Cell(f"{100 * value:.1f}", value, mark, f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}")
