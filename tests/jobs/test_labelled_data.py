"""Whole jobs on faces whose labels are in a table, with gaps: trained, tested, evaluated and reported."""

import csv
from pathlib import Path

import numpy as np
import pytest
from making import jpeg
from tiny_training import Trains

from agegender.jobs.evaluate import evaluate
from agegender.records.identity import differences
from agegender.records.job_folder import JobFolder
from agegender.records.predictions import read, read_table
from agegender.report.write import write_report
from agegender.sweeps.reporting import report
from agegender.system.errors import InputError

AGES = (1, 5, 10, 17, 27, 40, 50, 70)  # one of each closed group
BINS = ("0-2", "3-6", "7-12", "13-20", "21-32", "33-43", "44-53", "54+")
ACROSS = "15-25"


def write_set(folder: Path, rows: list[tuple[str, str]]) -> Path:
    """Write a face per age and gender, and the table of them."""
    folder.mkdir()
    with (folder / "faces.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "age", "gender"])
        for number, (age, gender) in enumerate(rows):
            (folder / f"{number:03d}.jpg").write_bytes(jpeg(number))
            writer.writerow([f"{number:03d}.jpg", age, gender])
    return folder


def rows_with_gaps() -> list[tuple[str, str]]:
    """Exact ages, ranges, a range across groups, no age; and no gender for every fifth face."""
    rows = []
    for number in range(120):
        group = number % 8
        age = (str(AGES[group]), BINS[group], ACROSS, "")[(number // 8) % 4]
        rows.append((age, "" if number % 5 == 0 else "mf"[number % 2]))
    return rows


@pytest.fixture(scope="module")
def with_gaps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("sets") / "gaps", rows_with_gaps())


def test_a_set_with_gaps_is_trained_tested_and_reported(trains: Trains, with_gaps: Path, tmp_path: Path) -> None:
    status, entry = trains(tmp_path, f"data.root={with_gaps}", "data.labels=faces.csv")
    assert status == "complete" and entry is not None
    # 5 of 24 faces without an age, and 6 of 32 with one across groups, have no gender either.
    assert entry.data["labels"]["without_label_rows"] == 5
    assert entry.data["counts"]["dropped"]["age_straddles_groups"] == 6
    known = entry.data["labelled"]
    assert sum(known[part]["age_group"] for part in known) == 64
    assert sum(known[part]["age_years"] for part in known) == 32
    assert sum(known[part]["gender"] for part in known) == 96
    for key in ("age_accuracy", "gender_accuracy", "mean_accuracy", "age_mae_years", "age_in_range"):
        assert isinstance(entry.test[key], float)
    assert sum(map(sum, entry.test["age_confusion"])) == known["test"]["age_group"]
    assert sum(map(sum, entry.test["gender_confusion"])) == known["test"]["gender"]
    path = JobFolder(tmp_path / "job").predictions
    found = read(path, groups=entry.data["age_groups"]["names"])
    assert (found.group >= 0).sum() == known["test"]["age_group"]
    assert (found.gender >= 0).sum() == known["test"]["gender"]
    assert (~np.isnan(found.years)).sum() == known["test"]["age_years"]
    assert read_table(path)["gender"].notna().sum() == known["test"]["gender"]
    written = report(tmp_path)
    assert written.table.rows[0]["age_accuracy"] == pytest.approx(100 * entry.test["age_accuracy"])
    assert written.table.rows[0]["gender_accuracy"] == pytest.approx(100 * entry.test["gender_accuracy"])
    page = (tmp_path / "report" / "index.html").read_text()
    assert f"{100 * entry.test['gender_accuracy']:.2f}" in page


@pytest.mark.parametrize(
    ("rows", "missing"),
    [
        ([(str(AGES[number % 8]), "") for number in range(96)], "gender"),
        ([("", "mf"[number % 2]) for number in range(96)], "age"),
        ([(BINS[number % 8], "mf"[number % 2]) for number in range(96)], "years"),
    ],
)
def test_a_score_exists_only_where_there_are_labels_and_the_report_is_built(
    rows: list[tuple[str, str]], missing: str, trains: Trains, tmp_path: Path
) -> None:
    root = write_set(tmp_path / "set", rows)
    for seed in (0, 1):
        status, entry = trains(tmp_path / f"{seed}", f"data.root={root}", "data.labels=faces.csv", f"seed={seed}")
        assert status == "complete" and entry is not None
    assert entry is not None
    absent = {"gender": ["gender_accuracy", "gender_confusion"], "age": ["age_accuracy", "age_mae_years"]}
    assert all(entry.test[key] is None for key in absent.get(missing, ["age_mae_years"]))
    assert isinstance(entry.test["mean_accuracy"], float)
    written = write_report(tmp_path)
    (row,) = written.table.rows
    for task in ("age", "gender"):
        assert (row[f"{task}_accuracy"] is None) == (task == missing)
    assert "nan" not in (tmp_path / "report" / "table.md").read_text()


def test_two_losses_on_a_set_of_one_task_are_compared_by_it_alone(trains: Trains, tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", [(str(AGES[number % 8]), "") for number in range(96)])
    for loss in ("plain", "weighted"):
        trains(tmp_path / "sweep" / loss, f"data.root={root}", "data.labels=faces.csv", f"loss={loss}")
    written = write_report(tmp_path / "sweep")
    assert "highest age accuracy" in written.verdict and "gender" not in written.verdict
    pairs = (tmp_path / "sweep" / "report" / "pairs.csv").read_text().splitlines()
    assert [line.partition(",")[0] for line in pairs] == ["task", "age"]


def test_a_loss_of_years_refuses_ranges_unless_their_middle_is_wanted(
    trains: Trains, with_gaps: Path, tmp_path: Path
) -> None:
    options = (f"data.root={with_gaps}", "data.labels=faces.csv", "loss=dex")
    with pytest.raises(
        InputError, match="20 of 43 training faces of gaps have only a range of ages; use a loss of age"
    ):
        trains(tmp_path / "refused", *options)
    status, entry = trains(tmp_path / "midpoint", *options, "data.years=midpoint")
    assert status == "complete" and entry is not None
    exact = entry.data["labelled"]["test"]["age_years"]
    found = read(JobFolder(tmp_path / "midpoint" / "job").predictions, groups=entry.data["age_groups"]["names"])
    assert (~np.isnan(found.years)).sum() == exact  # the middle of a range is no true age


def test_a_checkpoint_is_evaluated_on_a_set_with_a_table(
    trains: Trains, with_gaps: Path, tmp_path: Path, composed: object
) -> None:
    trains(tmp_path)  # on names like UTKFace's
    ckpt = next(tmp_path.rglob("best.ckpt"))
    request = composed(  # type: ignore[operator]
        f"ckpt_path={ckpt}", f"data.root={with_gaps}", "data.labels=faces.csv", "part=all", name="eval"
    )
    found = evaluate({key: value for key, value in request.items() if key != "hydra"})
    assert found.data["labels"]["faces"] == 115
    assert found.test["age_accuracy"] is not None and found.config["data"]["labels"] == "faces.csv"


def write_adience(folder: Path) -> Path:
    """Write 200 faces of Adience's layout: five folds of two albums each, ages as ranges, some without a gender."""
    header = "user_id\toriginal_image\tface_id\tage\tgender\tx\ty\tdx\tdy\ttilt_ang\tfiducial_yaw_angle\tfiducial_score"
    ages = ("(0, 2)", "(4, 6)", "(8, 12)", "(15, 20)", "(25, 32)", "(38, 43)", "(48, 53)", "(60, 100)")
    for fold in range(5):
        lines = [header]
        for number in range(40):
            album = f"{fold}{number // 20}@N00"
            image = f"{fold}_{number}.jpg"
            gender = "u" if number % 10 == 9 else "mf"[number % 2]
            lines.append(f"{album}\t{image}\t{number}\t{ages[number % 8]}\t{gender}\t0\t0\t9\t9\t0\t0\t1")
            path = folder / "aligned" / album / f"landmark_aligned_face.{number}.{image}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(jpeg(100 * fold + number))
        (folder / f"fold_{fold}_data.txt").write_text("\n".join(lines))
    return folder


def test_adiences_protocol_gives_the_mean_and_the_deviation_of_five_folds(trains: Trains, tmp_path: Path) -> None:
    root = write_adience(tmp_path / "adience")
    entries = []
    for fold in range(5):
        options = ("data=adience", f"data.root={root}", f"data.fold={fold}", "data.leak_control=true")
        status, entry = trains(tmp_path / "sweep" / str(fold), *options)
        assert status == "complete" and entry is not None
        assert entry.data["counts"]["test"] == 40 and entry.data["age_groups"]["scheme"] == "nearest"
        assert entry.data["protocol"] == {"official": False, "fold": fold, "num_folds": None}
        entries.append(entry)
    assert differences(entries[0].config, entries[1].config) == ["data.fold=0, now 1"]
    assert len({entry.data["split_hash"] for entry in entries}) == 5
    table = write_report(tmp_path / "sweep").table
    (row,) = table.rows
    assert row["seeds"] == "0 on 5 splits"
    for task in ("age", "gender"):
        of_folds = [100 * entry.test[f"{task}_accuracy"] for entry in entries]
        assert row[f"{task}_accuracy"] == pytest.approx(np.mean(of_folds))
        assert table.spread(0, f"{task}_accuracy").deviation == pytest.approx(np.std(of_folds, ddof=1))


def test_a_score_without_labels_cannot_choose_the_epoch(trains: Trains, tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", [(BINS[number % 8], "") for number in range(96)])
    options = (f"data.root={root}", "data.labels=faces.csv")
    for monitor, label in (("val/gender_accuracy", "a gender"), ("val/age_mae_years", "an exact age")):
        with pytest.raises(InputError, match=f"monitor={monitor}: no validation image has {label}; choose another"):
            trains(tmp_path / "refused", *options, f"monitor={monitor}")
