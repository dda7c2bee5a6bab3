"""The comparison table of jobs: one row per job, with the paper's numbers beside ours, and the conditions."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from agegender.records.record import Record
from agegender.report.choices import choice_value, report_order, varying_choices
from agegender.report.paper import CONDITIONS, TABLE_2, Published

Value = str | float | int | None

_LIMITS = ("limit_train_batches", "limit_test_batches")  # keys of `trainer`: numbers of batches, or shares of them
_SHORTCUTS = ("fast_dev_run", "overfit_batches")  # keys of `trainer` that cut a run short if they are set


@dataclass(frozen=True)
class Column:
    """A column: a key for programs, a title for people, and the decimals of its numbers."""

    key: str
    title: str
    decimals: int = 0


@dataclass(frozen=True)
class Spread:
    """Deviation and interval of a value, in its unit, and its mark.

    Attributes:
        deviation: standard deviation over seeds; None for a single seed.
        interval: 95 %; None where there is none.
        mark: `best` (the highest), `tied` (not significantly lower than the highest), or empty.
    """

    deviation: float | None = None
    interval: tuple[float, float] | None = None
    mark: str = ""


@dataclass(frozen=True)
class ComparisonTable:
    """A comparison table.

    Attributes:
        columns: from left to right.
        rows: one dict of raw values per row, by column key; accuracies are in percent.
        notes: lines below the table: warnings, data, hardware.
        warnings: the notes with reasons why rows must not be compared.
        spreads: by column key, one dict per row; empty where rows are single jobs.
        legend: meaning of the marks, for formats that show them as characters.
    """

    columns: list[Column]
    rows: list[dict[str, Value]]
    notes: list[str]
    warnings: list[str]
    spreads: list[dict[str, Spread]] = field(default_factory=list)
    legend: list[str] = field(default_factory=list)

    def keys_and_rows(self) -> tuple[list[str], list[list[Value]]]:
        """Return the keys of the columns, and the rows as lists of values."""
        keys = [column.key for column in self.columns]
        return keys, [[row.get(key) for key in keys] for row in self.rows]

    def spread(self, row: int, key: str) -> Spread:
        """Return the spread of a value; an empty one where there is none."""
        return self.spreads[row].get(key, Spread()) if self.spreads else Spread()


RESULTS = (
    Column("age_accuracy", "Age %", 2),
    Column("paper_age_accuracy", "paper", 2),
    Column("age_minus_paper", "diff.", 2),
    Column("gender_accuracy", "Gender %", 2),
    Column("paper_gender_accuracy", "paper", 2),
    Column("gender_minus_paper", "diff.", 2),
    Column("age_balanced_accuracy", "Bal. %", 2),
    Column("age_one_off_accuracy", "1-off %", 2),
    Column("age_mae_years", "MAE y", 2),
    Column("params_millions", "Params M", 2),
    Column("paper_params_millions", "paper", 1),
    Column("gmacs", "GMAC", 3),
    Column("fit_seconds", "Train s", 0),
    Column("paper_training_time", "paper", 0),
    Column("images_per_second", "Img/s", 0),
    Column("status", "Status"),
)


def compare_jobs(entries: Iterable[tuple[Path, Record]]) -> ComparisonTable:
    """Return the table of all jobs of a sweep.

    Args:
        entries: directories and their records.
    """
    records = sorted((record for _, record in entries), key=report_order)
    extra = varying_choices(records)
    columns = [Column("model", "Model"), Column("loss", "Loss"), *(Column(key, key) for key in extra)]
    columns += [Column("seed", "Seed"), *RESULTS]
    complete = [record for record in records if record.status == "complete"]
    warnings = warnings_of(complete)
    rows = [row_of(record, extra) for record in records]
    return ComparisonTable(columns, rows, [*warnings, *notes_of(complete)], warnings)


def row_of(record: Record, extra: list[str]) -> dict[str, Value]:
    """Return the values of a job by column key; `extra` are the keys of choices that vary."""
    model = str(record.choices.get("model"))
    loss = str(record.choices.get("loss"))
    paper = TABLE_2.get((model, loss))
    row: dict[str, Value] = {"model": model, "loss": loss, "seed": record.seed, "status": status_of(record)}
    row |= {key: choice_value(record, key) for key in extra}
    row |= _published(paper)
    if record.num_params is not None:
        row["params_millions"] = record.num_params / 1e6
    row["gmacs"] = record.gmacs
    if record.status == "complete":
        shares = {key: value for key, value in record.test.items() if key.endswith("_accuracy")}
        row |= {key: None if value is None else 100 * value for key, value in shares.items()}
        row["age_mae_years"] = record.test["age_mae_years"]
        row |= differences_to_paper(row)
        row |= {key: record.time.get(key) for key in ("fit_seconds", "images_per_second")}
    return row


def differences_to_paper(row: dict[str, Value]) -> dict[str, Value]:
    """Return our accuracies minus the paper's, in percentage points."""
    found: dict[str, Value] = {}
    for task in ("age", "gender"):
        ours = row.get(f"{task}_accuracy")
        paper = row.get(f"paper_{task}_accuracy")
        if isinstance(ours, float) and isinstance(paper, float):
            found[f"{task}_minus_paper"] = ours - paper
    return found


def _published(paper: Published | None) -> dict[str, Value]:
    if paper is None:
        return {}
    return {
        "paper_age_accuracy": paper.age,
        "paper_gender_accuracy": paper.gender,
        "paper_params_millions": paper.params,
        "paper_training_time": paper.training_time,
    }


def status_of(record: Record) -> str:
    """Return the status of a job in words, with the reason of a failure."""
    if record.status == "failed":
        return f"failed: {record.error}"
    if record.status == "pruned":
        return f"pruned after epoch {len(record.history)} of {record.setting('trainer.max_epochs')}"
    return "complete" if record.status == "complete" else "started, not finished"


def warnings_of(complete: list[Record], *, repeated_splits: bool = False) -> list[str]:
    """Return the reasons why rows must not be compared.

    Args:
        complete: records of complete jobs.
        repeated_splits: whether all rows have the same several splits, which are then no reason.
    """
    warnings = []
    for what, key in (
        ("data sets", lambda record: record.data["fingerprint"]),
        ("splits", lambda record: record.data["split_hash"]),
        ("age-group schemes", lambda record: record.data["age_groups"]["scheme"]),
        ("image sizes", lambda record: record.data["image_size"]),
        ("training parts", lambda record: record.data.get("train_part", "train")),
        ("numbers of epochs", lambda record: record.setting("trainer.max_epochs")),
    ):
        number = len({str(key(record)) for record in complete})
        if number > 1 and not (what == "splits" and repeated_splits):
            warnings.append(f"Warning: these rows come from {number} different {what}; they are not comparable.")
    if cut := sum(_is_cut(record) for record in complete):
        warnings.append(
            f"Warning: {cut} of {len(complete)} runs ended before their last epoch (trainer.max_time or max_steps); "
            "they are not comparable."
        )
    if shared := [record for record in complete if record.num_sharing > 1]:
        most = max(record.num_sharing for record in shared)
        warnings.append(
            f"Warning: {len(shared)} of {len(complete)} jobs shared their GPU, {most} at a time (jobs_per_gpu): their "
            "seconds and images/s are not comparable."
        )
    limited = [key for key in (*_LIMITS, *_SHORTCUTS) if any(_is_limited(record, key) for record in complete)]
    if limited:
        warnings.append(
            f"Warning: trainer.{', trainer.'.join(limited)} cut these runs short; they say nothing of accuracy."
        )
    return warnings


def _is_cut(record: Record) -> bool:
    done = len(record.history)
    planned = record.setting("trainer.max_epochs")
    may_be_short = record.setting("early_stopping") or record.setting("trainer.fast_dev_run")
    return 0 < done < planned and not may_be_short


def _is_limited(record: Record, key: str) -> bool:
    value = record.setting(f"trainer.{key}")
    if key in _SHORTCUTS:
        return bool(value)
    return value is not None and not (isinstance(value, float) and value == 1.0)  # 1 is one batch, 1.0 is all batches


def notes_of(complete: list[Record]) -> list[str]:
    """Return lines on the data, the training, the hardware and the paper's conditions."""
    if not complete:
        return ["No job is complete.", CONDITIONS]
    synthetic = any("synthetic faces" in record.data["root"] for record in complete)
    return [
        *_distinct(complete, _data_line),
        *_distinct(complete, _training_line),
        *_distinct(complete, _hardware_line),
        *_distinct(complete, _majority_line),
        *(["Synthetic faces show that the code runs; they say nothing of the paper's claim."] if synthetic else []),
        CONDITIONS,
    ]


def _distinct(records: list[Record], line: Callable[[Record], str]) -> list[str]:
    return list(dict.fromkeys(" ".join(line(record).split()) for record in records))


def _data_line(record: Record) -> str:
    data = record.data
    counts = record.data["counts"]
    parts = " / ".join(f"{counts[part]:,}" for part in ("train", "val", "test"))
    left_out = counts["skipped"] + sum(counts["dropped"].values())
    control = {True: "leak control on", False: "leak control off", None: "split from a file"}[data["leak_control"]]
    return (
        f"Data: {data['root']}: {counts['files']:,} files, {left_out:,} left out, {parts} for training, validation and "
        f"testing; {data['age_groups']['scheme']} age groups, {control}, split {data['split_hash'][:12]}."
    )


def _training_line(record: Record) -> str:
    data = record.data
    optimizer = record.setting("optimizer._target_").rpartition(".")[2]
    tested = f"tested at the best epoch by {record.setting('monitor')}"
    if data.get("train_part") == "trainval":
        tested = "with the validation part, tested after the last epoch"
    return (
        f"Training: {data['image_size']} x {data['image_size']} pixels, {record.setting('trainer.max_epochs')} epochs, "
        f"batch {record.setting('data.batch_size')}, {optimizer} {record.setting('optimizer.lr'):g}; {tested}."
    )


def _hardware_line(record: Record) -> str:
    machine = record.environment
    number = f"{machine['num_devices']} x " if machine["num_devices"] > 1 else ""
    plural = "" if machine["threads"] == 1 else "s"
    threads = f", {machine['threads']} thread{plural}" if machine["accelerator"] == "cpu" else ""
    return f"Hardware: {number}{machine['device']}{threads}, {machine['precision']}, torch {machine['torch']}."


def _majority_line(record: Record) -> str:
    shares = []
    for task in ("age", "gender"):
        if record.test[f"{task}_confusion"] is not None:
            counts = [sum(row) for row in record.test[f"{task}_confusion"]]
            shares.append(f"{task} {100 * max(counts) / sum(counts):.2f} %")
    return f"Always saying the most frequent class gives {', '.join(shares)}."
