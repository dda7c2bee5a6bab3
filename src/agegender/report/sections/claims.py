"""The paper's statements: which of them hold in these runs, which are contradicted, and which are not decided."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agegender.records.predictions import Predictions
from agegender.report.results import Configuration, SweepResults
from agegender.report.sections.verdict import about_basis, num_seeds
from agegender.report.statistics.age_limits import AgeLimits
from agegender.report.statistics.analysis import TASKS, Analysis, Pair
from agegender.report.statistics.boundary_errors import boundary_errors, has_underage_group
from agegender.report.statistics.crossed import Mean, crossed_difference, crossed_mean
from agegender.report.statistics.significance import LEVEL, holm
from agegender.report.tables.measured_cost import MeasuredCost
from agegender.report.tables.text_formats import format_p

BASELINES = ("alexnet", "vgg11", "resnet18", "densenet161")  # of the paper's Table 2
PROPOSED = "small_cnn"
HOLDS = "holds"
CONTRADICTED = "contradicted"
OPEN = "not decided"
_PAPER_SETTING = (256, 30)  # pixels and epochs


@dataclass(frozen=True)
class Judgement:
    """One statement of the paper.

    Attributes:
        statement: what the paper says.
        decision: `HOLDS`, `CONTRADICTED` or `OPEN`.
        figures: what was measured, with intervals.
        test: how it was decided.
    """

    statement: str
    decision: str
    figures: str
    test: str


def judge_statements(sweep: SweepResults, analysis: Analysis, costs: Sequence[MeasuredCost]) -> list[Judgement]:
    """Decide on the paper's statements; empty without the proposed network and a baseline, or on synthetic faces."""
    if any("synthetic faces" in run.record.data["root"] for one in analysis.design.compared for run in one.measured):
        return []
    tested = [run.tested for one in analysis.design.compared for run in one.measured]
    if not all(one.is_complete and has_underage_group(one.groups) for one in tested):
        return []  # the paper's statements are of images with all labels, and of its groups
    plain = {one.model: one for one in analysis.design.compared if one.loss == "plain" and _is_plain(one)}
    weighted = {one.model: one for one in analysis.design.compared if one.loss == "weighted" and _is_plain(one)}
    if PROPOSED not in plain or not any(model in plain for model in BASELINES):
        return []
    found = [_more_accurate(plain, analysis, task) for task in TASKS]
    found.append(_smaller(plain))
    found += [_faster(cost) for cost in costs if PROPOSED in cost.rates]
    found.append(_older(plain[PROPOSED], analysis))
    if PROPOSED in weighted:
        found.append(_remedy(plain[PROPOSED], weighted[PROPOSED], analysis))
        found.append(_diagonal(weighted[PROPOSED], analysis))
    return found


def scope(analysis: Analysis) -> str:
    """Return a sentence on the conditions under which the decisions hold."""
    run = analysis.design.runs_on(0)[0]
    size = run.record.data["image_size"]
    epochs = run.record.setting("trainer.max_epochs")
    which = (
        "the paper's size and epochs"
        if (size, epochs) == _PAPER_SETTING
        else "not the paper's 256 pixels and 30 epochs"
    )
    basis = about_basis(analysis.design)
    seeds = "" if basis else f", with {num_seeds(analysis.design)}"
    return " ".join([f"At {size} pixels and {epochs} epochs, {which}{seeds}.", *basis])


def _is_plain(configuration: Configuration) -> bool:
    """Whether only model and loss were chosen."""
    return configuration.label == f"{configuration.model} / {configuration.loss}"


def _more_accurate(plain: dict[str, Configuration], analysis: Analysis, task: str) -> Judgement:
    """Decide on four planned comparisons: the statement holds if all do, and is contradicted if one is."""
    pairs = {model: _pair(plain, model, analysis.pairs[task]) for model in BASELINES if model in plain}
    missing = [model for model in BASELINES if model not in plain]
    differences = {model: difference for model, (difference, _, _) in pairs.items()}
    p_values = np.array([p for _, _, p in pairs.values()])
    against = holm(np.append(p_values, np.ones(len(missing)))) < LEVEL
    decision = OPEN
    if any(sign and difference < 0 for sign, difference in zip(against, differences.values(), strict=False)):
        decision = CONTRADICTED
    elif not missing and all(difference > 0 for difference in differences.values()) and (p_values < LEVEL).all():
        decision = HOLDS
    comparisons = [
        f"{100 * value:+.2f} points to {model} ({100 * low:+.2f} to {100 * high:+.2f}, p {format_p(p)})"
        for model, (value, (low, high), p) in pairs.items()
    ]
    if missing:
        comparisons.append(f"not trained: {', '.join(missing)}")
    return Judgement(
        f"The small CNN is more accurate than each of the four at {task}",
        decision,
        "; ".join(comparisons),
        "Holds where all four differences are significant at 5 % each (intersection-union); contradicted where one of "
        "four is significantly negative after Holm's correction. Intervals are of each comparison alone.",
    )


def _pair(plain: dict[str, Configuration], model: str, pairs: list[Pair]) -> tuple[float, tuple[float, float], float]:
    """Return the small CNN's lead over a baseline, its interval, and the p-value of this pair alone."""
    labels = {plain[PROPOSED].label, plain[model].label}
    pair = next(pair for pair in pairs if {pair.first, pair.second} == labels)
    sign = 1 if pair.first == plain[PROPOSED].label else -1
    low, high = pair.planned
    ends = (low, high) if sign > 0 else (-high, -low)
    return sign * pair.difference.value, ends, pair.p_value


def _smaller(plain: dict[str, Configuration]) -> Judgement:
    counts = {
        model: plain[model].complete[0].record.num_params or 0 for model in (PROPOSED, *BASELINES) if model in plain
    }
    size = plain[PROPOSED].complete[0].record.data["image_size"]
    own = counts[PROPOSED]
    others = {model: count for model, count in counts.items() if model != PROPOSED}
    not_larger = [model for model, count in others.items() if count <= own]
    decision = CONTRADICTED if not_larger else HOLDS if len(others) == len(BASELINES) else OPEN
    sizes = ", ".join(f"{model} {count / 1e6:.2f} M" for model, count in counts.items())
    note = (
        ""
        if size == _PAPER_SETTING[0]
        else (
            "; at the paper's 256 pixels it has 11.52 M, more than ResNet18's 11.18 M: its first linear layer grows "
            "with the image"
        )
    )
    return Judgement(
        "The small CNN is smaller than each of the four",
        decision,
        f"{sizes}, as trained at {size} pixels{note}",
        "Parameters of the networks trained, counted.",
    )


def _faster(cost: MeasuredCost) -> Judgement:
    own = cost.rates[PROPOSED]
    others = {model: cost.ratios(model, PROPOSED) for model in BASELINES if model in cost.rates}
    if any(min(ratios) > 1 for ratios in others.values()):
        decision = CONTRADICTED
    else:
        complete = len(others) == len(BASELINES)
        decision = HOLDS if complete and all(max(ratios) < 1 for ratios in others.values()) else OPEN
    relative_rates = "; ".join(
        f"{model} {np.median(ratios):.2f} times its rate ({min(ratios):.2f} to {max(ratios):.2f})"
        for model, ratios in others.items()
    )
    return Judgement(
        f"The small CNN trains faster than each of the four, at {cost.image_size} pixels",
        decision,
        f"{np.median(own):.0f} images/s; {relative_rates}",
        f"Training steps side by side on an idle machine, {len(own)} interleaved repeats: {cost.hardware}.",
    )


def _older(proposed: Configuration, analysis: Analysis) -> Judgement:
    hits = _older_hits(analysis.design.tested(proposed))
    mean = crossed_mean(hits)
    low, high = mean.share_interval()
    decision = HOLDS if low > 0.5 else CONTRADICTED if high < 0.5 else OPEN
    return Judgement(
        "With the plain loss over half of the faces of 13-20 are predicted older",
        decision,
        f"{_percent(mean.value)} of {hits.shape[1]:,} ({_percent(low)} to {_percent(high)}); the paper: over 52 % of "
        "15-20",
        "Holds where the 95 % interval lies above 50 %, contradicted where it lies below.",
    )


def _remedy(plain: Configuration, weighted: Configuration, analysis: Analysis) -> Judgement:
    before, after = (analysis.design.tested(one) for one in (plain, weighted))
    change = crossed_difference(_older_hits(after), _older_hits(before))
    cost = crossed_difference(*(np.stack([run.hits("age") for run in runs]) for runs in (after, before)))
    decided = change.p_value() < LEVEL
    decision = OPEN if not decided else HOLDS if change.value < 0 else CONTRADICTED
    share = crossed_mean(_older_hits(after))
    low, high = share.share_interval()
    return Judgement(
        "The weighted loss lowers the share of 13-20 that is predicted older",
        decision,
        f"{_percent(share.value)} ({_percent(low)} to {_percent(high)}) with it, a change of {_points(change)}; age "
        f"accuracy changes by {_points(cost)}",
        "Paired on the same faces; two-sided at 5 %.",
    )


def _diagonal(weighted: Configuration, analysis: Analysis) -> Judgement:
    """Decide on Figure 7 row by row: the true group against the group that is predicted most often instead."""
    runs = analysis.design.tested(weighted)
    names = runs[0].groups
    not_dominant = []
    signs = []
    for group, name in enumerate(names):
        inside = np.flatnonzero(runs[0].group == group)
        if not len(inside):
            continue
        predicted = np.stack([run.group_predicted[inside] for run in runs])
        counts = np.bincount(predicted.ravel(), minlength=len(names)).astype(float)
        counts[group] = -1
        rival = int(counts.argmax())
        lead = crossed_mean((predicted == group).astype(float) - (predicted == rival))
        # The rival is the most frequent of all other groups, chosen by the same data, so its lead needs a correction.
        level = LEVEL if lead.value > 0 else LEVEL / (len(names) * (len(names) - 1))
        signs.append(0 if lead.p_value() >= level else 1 if lead.value > 0 else -1)
        if signs[-1] <= 0:
            not_dominant.append(
                f"{name}: {100 * lead.value:+.1f} points over {names[rival]} (p {format_p(lead.p_value())})"
            )
    decision = HOLDS if min(signs) > 0 else CONTRADICTED if min(signs) < 0 else OPEN
    rows = f"{sum(sign > 0 for sign in signs)} of {len(signs)} rows"
    return Judgement(
        "With the weighted loss the diagonal of Figure 7 dominates",
        decision,
        "; ".join([f"the true group is significantly the most frequent prediction in {rows}", *not_dominant]),
        "For each true group: predictions of that group against those of the most frequent other group, two-sided at "
        "5 %; all rows must hold. Contradicted where another group is significantly more frequent after Bonferroni's "
        "correction.",
    )


def _older_hits(runs: list[Predictions]) -> np.ndarray:
    return boundary_errors(runs, AgeLimits()).group.astype(float)  # does not depend on who is a minor


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _points(mean: Mean) -> str:
    low, high = mean.interval()
    return f"{100 * mean.value:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f}, p {format_p(mean.p_value())})"


def statements_text(judgements: Sequence[Judgement], analysis: Analysis) -> str:
    """Return the decisions for a terminal, one line each; empty where there are none."""
    if not judgements:
        return ""
    lines = [f"The paper's statements. {scope(analysis)}"]
    lines += [f"- {one.statement}: {one.decision}. {one.figures}." for one in judgements]
    return "\n".join(lines)
